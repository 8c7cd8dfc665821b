// leap_image: JPEG and PNG in memory, for Swift. The libraries report errors by longjmp, which must not
// cross a Swift frame: it stays inside these functions, which return instead.
//
// Every function returns 0, or -1 with the reason in `message`. None prints, exits, or keeps a pointer.
#pragma once
#include <stddef.h>
#include <stdint.h>

#define LEAP_IMAGE_MESSAGE 256

/// Extents of a picture, and its channels once decoded: 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA. `keeps_indices` asks for the
/// entries of a PNG's palette instead of their colours: one channel; it is 0 afterwards where the PNG has no palette.
typedef struct {
  uint32_t width, height, channels, keeps_indices;
} leap_image_info;

/// Reads a JPEG's header.
int leap_jpeg_info(const uint8_t *bytes, size_t count, leap_image_info *info,
                   char message[LEAP_IMAGE_MESSAGE]);
/// Decodes a JPEG into `pixels`, 8 bits a channel, rows without gaps; `info` as `leap_jpeg_info` gave it.
/// CMYK and YCCK become RGB, read as Adobe writes them (inverted).
int leap_jpeg_decode(const uint8_t *bytes, size_t count, leap_image_info info, uint8_t *pixels,
                     char message[LEAP_IMAGE_MESSAGE]);
/// Reads a PNG's header.
int leap_png_info(const uint8_t *bytes, size_t count, leap_image_info *info,
                  char message[LEAP_IMAGE_MESSAGE]);
/// Decodes a PNG: palettes and low depths expanded, 16 bits cut to the upper 8.
int leap_png_decode(const uint8_t *bytes, size_t count, leap_image_info info, uint8_t *pixels,
                    char message[LEAP_IMAGE_MESSAGE]);
/// Encodes a PNG; `*encoded` is the caller's to give to `leap_image_free`.
int leap_png_encode(const uint8_t *pixels, leap_image_info info, uint8_t **encoded, size_t *count,
                    char message[LEAP_IMAGE_MESSAGE]);
void leap_image_free(uint8_t *bytes);
