# Writes a file's bytes as a C array: cmake -DIN=FILE -DOUT=FILE.c -DNAME=NAME -P embed.cmake
file(READ ${IN} hex HEX)
file(SIZE ${IN} size)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
file(WRITE ${OUT}
  "extern const unsigned char ${NAME}[];\nextern const unsigned long ${NAME}_bytes;\n"
  "const unsigned char ${NAME}[] = {${bytes}};\nconst unsigned long ${NAME}_bytes = ${size};\n")
