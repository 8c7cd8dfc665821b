// PNG through libpng. Its errors end in `stop`, which jumps back into the function that called it.
#include "include/leap_image.h"
#ifdef LEAP_IMAGES
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// Says what to install where the library is missing.
#include "../CLeapPNG/shim.h"

typedef struct {
  const uint8_t *bytes;
  size_t count, position;
  char *message;
} source;

typedef struct {
  uint8_t *bytes;
  size_t count, capacity;
  char *message;
} sink;

static void stop(png_structp png, png_const_charp text) {
  // Both a source and a sink are told through the error pointer, which is the message itself.
  snprintf(png_get_error_ptr(png), LEAP_IMAGE_MESSAGE, "%s", text);
  png_longjmp(png, 1);
}

static void ignore(png_structp png, png_const_charp text) { (void)png, (void)text; }

static void take(png_structp png, png_bytep target, size_t count) {
  source *s = png_get_io_ptr(png);
  if (count > s->count - s->position) png_error(png, "the file is truncated");
  memcpy(target, s->bytes + s->position, count);
  s->position += count;
}

static void give(png_structp png, png_bytep bytes, size_t count) {
  sink *s = png_get_io_ptr(png);
  if (s->count + count > s->capacity) {
    size_t capacity = 2 * (s->count + count);
    uint8_t *grown = realloc(s->bytes, capacity);
    if (!grown) png_error(png, "out of memory");
    s->bytes = grown;
    s->capacity = capacity;
  }
  memcpy(s->bytes + s->count, bytes, count);
  s->count += count;
}

static void flush(png_structp png) { (void)png; }

static void begin(png_structp png, png_infop header, source *s, leap_image_info *info) {
  png_set_read_fn(png, s, take);
  png_set_chunk_malloc_max(png, 8 << 20);
  png_set_chunk_cache_max(png, 64);
  png_read_info(png, header);
  if (png_get_color_type(png, header) != PNG_COLOR_TYPE_PALETTE) info->keeps_indices = 0;
  if (info->keeps_indices)
    png_set_packing(png);
  else
    png_set_expand(png);
  png_set_strip_16(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, header);
  info->width = png_get_image_width(png, header);
  info->height = png_get_image_height(png, header);
  info->channels = png_get_channels(png, header);
}

// Reads the header into `found`, and the rows too where `pixels` is given.
static int read_png(source *s, leap_image_info *found, uint8_t *pixels) {
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, s->message, stop, ignore);
  png_infop header = png ? png_create_info_struct(png) : NULL;
  leap_image_info expected = *found;
  if (!header) {
    png_destroy_read_struct(&png, NULL, NULL);
    snprintf(s->message, LEAP_IMAGE_MESSAGE, "out of memory");
    return -1;
  }
  if (setjmp(png_jmpbuf(png))) {
    png_destroy_read_struct(&png, &header, NULL);
    return -1;
  }
  begin(png, header, s, found);
  if (pixels) {
    size_t stride = png_get_rowbytes(png, header);
    if (memcmp(&expected, found, sizeof expected) || stride != (size_t)found->width * found->channels)
      png_error(png, "the size changed while decoding");
    int passes = png_get_interlace_type(png, header) == PNG_INTERLACE_NONE ? 1 : 7;
    for (int pass = 0; pass < passes; pass++)
      for (uint32_t y = 0; y < found->height; y++) png_read_row(png, pixels + y * stride, NULL);
  }
  png_destroy_read_struct(&png, &header, NULL);
  return 0;
}

int leap_png_info(const uint8_t *bytes, size_t count, leap_image_info *info, char *message) {
  source s = {bytes, count, 0, message};
  return read_png(&s, info, NULL);
}

int leap_png_decode(const uint8_t *bytes, size_t count, leap_image_info info, uint8_t *pixels,
                    char *message) {
  source s = {bytes, count, 0, message};
  return read_png(&s, &info, pixels);
}

// Writes into `s`, whose memory the caller owns: a local of the function that calls setjmp would be lost after longjmp.
static int write_png(sink *s, const uint8_t *pixels, leap_image_info info) {
  static const int types[] = {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB,
                              PNG_COLOR_TYPE_RGB_ALPHA};
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, s->message, stop, ignore);
  png_infop header = png ? png_create_info_struct(png) : NULL;
  if (!header) {
    png_destroy_write_struct(&png, NULL);
    snprintf(s->message, LEAP_IMAGE_MESSAGE, "out of memory");
    return -1;
  }
  if (setjmp(png_jmpbuf(png))) {
    png_destroy_write_struct(&png, &header);
    return -1;
  }
  png_set_write_fn(png, s, give, flush);
  png_set_IHDR(png, header, info.width, info.height, 8, types[info.channels - 1],
               PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, header);
  for (uint32_t y = 0; y < info.height; y++)
    png_write_row(png, pixels + (size_t)y * info.width * info.channels);
  png_write_end(png, NULL);
  png_destroy_write_struct(&png, &header);
  return 0;
}

int leap_png_encode(const uint8_t *pixels, leap_image_info info, uint8_t **encoded, size_t *count,
                    char *message) {
  sink s = {NULL, 0, 0, message};
  if (write_png(&s, pixels, info) != 0) {
    free(s.bytes);
    return -1;
  }
  *encoded = s.bytes;
  *count = s.count;
  return 0;
}

void leap_image_free(uint8_t *bytes) { free(bytes); }
#endif
