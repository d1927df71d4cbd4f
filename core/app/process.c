#include "app/process.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"

/// Fields of /proc/self/stat, numbered from 1 as in proc(5).
struct stat_fields {
  unsigned long long user_ticks;    // 14
  unsigned long long system_ticks;  // 15
  long long threads;                // 20
  unsigned long long start_ticks;   // 22, since the machine started
};

static bool read_stat(struct stat_fields *ret_fields) {
  char text[1024];
  FILE *file = fopen("/proc/self/stat", "re");
  if (file == NULL) {
    return false;
  }
  size_t len = fread(text, 1, sizeof(text) - 1, file);
  fclose(file);
  text[len] = '\0';
  // The name may hold anything, also parentheses and spaces.
  const char *rest = strrchr(text, ')');
  return rest != NULL &&
         sscanf(rest + 1,
                " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d "
                "%*d %*d %*d %lld %*d %llu",
                &ret_fields->user_ticks, &ret_fields->system_ticks,
                &ret_fields->threads, &ret_fields->start_ticks) == 4;
}

static bool read_resident(unsigned long long *ret_bytes) {
  unsigned long long pages;
  FILE *file = fopen("/proc/self/statm", "re");
  if (file == NULL) {
    return false;
  }
  bool found = fscanf(file, "%*u %llu", &pages) == 1;
  fclose(file);
  *ret_bytes = found ? pages * (unsigned long long)sysconf(_SC_PAGESIZE) : 0;
  return found;
}

static bool count_fds(long long *ret_count) {
  DIR *folder = opendir("/proc/self/fd");
  if (folder == NULL) {
    return false;
  }
  // Neither ".", ".." nor the folder's own descriptor count.
  long long count = -3;
  while (readdir(folder) != NULL) {
    count++;
  }
  closedir(folder);
  *ret_count = count;
  return true;
}

static int add(struct peri_buffer *text, const char *name, const char *type,
               const char *help, double value) {
  return peri_buffer_printf(text, "# HELP %s %s\n# TYPE %s %s\n%s %.15g\n",
                            name, help, name, type, name, value);
}

static int add_stat(struct peri_buffer *text) {
  struct stat_fields stat;
  struct timespec now, up;
  double hz = (double)sysconf(_SC_CLK_TCK);
  if (!read_stat(&stat)) {
    return 0;
  }
  clock_gettime(CLOCK_REALTIME, &now);
  clock_gettime(CLOCK_BOOTTIME, &up);
  double booted = (double)now.tv_sec + (double)now.tv_nsec / 1e9 -
                  (double)up.tv_sec - (double)up.tv_nsec / 1e9;
  int rc = add(text, "process_cpu_seconds_total", "counter",
               "User and system CPU time.",
               (double)(stat.user_ticks + stat.system_ticks) / hz);
  if (rc == 0) {
    rc = add(text, "process_start_time_seconds", "gauge",
             "When the process started, in Unix time.",
             booted + (double)stat.start_ticks / hz);
  }
  if (rc == 0) {
    rc =
        add(text, "process_threads", "gauge", "Threads.", (double)stat.threads);
  }
  return rc;
}

int peri_process_render(struct peri_buffer *text) {
  unsigned long long resident;
  long long fds;
  struct rlimit limit;
  int rc = add_stat(text);
  if (rc == 0 && read_resident(&resident)) {
    rc = add(text, "process_resident_memory_bytes", "gauge", "Resident memory.",
             (double)resident);
  }
  if (rc == 0 && count_fds(&fds)) {
    rc = add(text, "process_open_fds", "gauge", "Open file descriptors.",
             (double)fds);
  }
  if (rc == 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    rc = add(text, "process_max_fds", "gauge",
             "File descriptors that may be open.", (double)limit.rlim_cur);
  }
  return rc;
}
