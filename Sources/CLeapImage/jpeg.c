// JPEG through libjpeg-turbo. Its errors end in `stop`, which jumps back into the function that called it.
#include "include/leap_image.h"
#ifdef LEAP_IMAGES
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
// Says what to install where the library is missing.
#include "../CLeapJPEG/shim.h"
#include <jerror.h>

// A progressive picture of many scans costs time without end for few bytes.
#define MAXIMUM_SCANS 200

typedef struct {
  struct jpeg_decompress_struct decoder;
  struct jpeg_error_mgr errors;
  struct jpeg_progress_mgr progress;
  jmp_buf jump;
  char *message;
  uint8_t *row;
} reader;

static void stop(j_common_ptr common) {
  reader *r = common->client_data;
  char text[JMSG_LENGTH_MAX];
  r->errors.format_message(common, text);
  snprintf(r->message, LEAP_IMAGE_MESSAGE, "%s", text);
  longjmp(r->jump, 1);
}

static void note(j_common_ptr common, int level) {
  reader *r = common->client_data;
  // The library would fill a truncated picture with grey.
  if (level < 0 && r->errors.msg_code == JWRN_JPEG_EOF) stop(common);
}

static void watch(j_common_ptr common) {
  reader *r = common->client_data;
  if (r->decoder.input_scan_number > MAXIMUM_SCANS) {
    snprintf(r->message, LEAP_IMAGE_MESSAGE, "more than %d scans", MAXIMUM_SCANS);
    longjmp(r->jump, 1);
  }
}

static int begin(reader *r, const uint8_t *bytes, size_t count, char *message) {
  r->message = message;
  r->decoder.err = jpeg_std_error(&r->errors);
  r->errors.error_exit = stop;
  r->errors.emit_message = note;
  r->decoder.client_data = r;
  if (setjmp(r->jump)) return -1;
  jpeg_create_decompress(&r->decoder);
  r->progress.progress_monitor = watch;
  r->decoder.progress = &r->progress;
  jpeg_mem_src(&r->decoder, bytes, (unsigned long)count);
  jpeg_read_header(&r->decoder, TRUE);
  return 0;
}

static int end(reader *r, int status) {
  jpeg_destroy_decompress(&r->decoder);
  free(r->row);
  free(r);
  return status;
}

int leap_jpeg_info(const uint8_t *bytes, size_t count, leap_image_info *info, char *message) {
  reader *r = calloc(1, sizeof *r);
  if (!r) return snprintf(message, LEAP_IMAGE_MESSAGE, "out of memory"), -1;
  int status = begin(r, bytes, count, message);
  info->width = r->decoder.image_width;
  info->height = r->decoder.image_height;
  info->channels = r->decoder.num_components == 1 ? 1 : 3;
  return end(r, status);
}

static int decode(reader *r, leap_image_info info, uint8_t *pixels) {
  if (setjmp(r->jump)) return -1;
  struct jpeg_decompress_struct *d = &r->decoder;
  int cmyk = d->jpeg_color_space == JCS_CMYK || d->jpeg_color_space == JCS_YCCK;
  d->out_color_space = info.channels == 1 ? JCS_GRAYSCALE : cmyk ? JCS_CMYK : JCS_RGB;
  jpeg_start_decompress(d);
  if (d->output_width != info.width || d->output_height != info.height) {
    snprintf(r->message, LEAP_IMAGE_MESSAGE, "the size changed while decoding");
    return -1;
  }
  size_t width = info.width, stride = width * info.channels;
  if (cmyk && !(r->row = malloc(width * 4))) {
    snprintf(r->message, LEAP_IMAGE_MESSAGE, "out of memory");
    return -1;
  }
  while (d->output_scanline < d->output_height) {
    uint8_t *target = pixels + d->output_scanline * stride;
    JSAMPROW row = cmyk ? r->row : target;
    jpeg_read_scanlines(d, &row, 1);
    for (size_t x = 0; cmyk && x < width; x++) {
      // Stored inverted: each value is the light that is left, the last one that of black.
      for (int c = 0; c < 3; c++) {
        unsigned product = (255u - row[4 * x + c]) * row[4 * x + 3] + 128;
        target[3 * x + c] = (uint8_t)(row[4 * x + 3] - ((product + (product >> 8)) >> 8));
      }
    }
  }
  return 0;
}

int leap_jpeg_decode(const uint8_t *bytes, size_t count, leap_image_info info, uint8_t *pixels,
                     char *message) {
  reader *r = calloc(1, sizeof *r);
  if (!r) return snprintf(message, LEAP_IMAGE_MESSAGE, "out of memory"), -1;
  int status = begin(r, bytes, count, message);
  return end(r, status == 0 ? decode(r, info, pixels) : status);
}
#endif
