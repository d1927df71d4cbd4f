#pragma once

/// The sidecar's own services as a FileDescriptorSet: made by protoc and
/// embedded when the program is built.
extern const unsigned char peri_reflected_set[];
extern const unsigned long peri_reflected_set_bytes;
