// Names what a picture shows: loads an ONNX model, hands it a grey picture, prints the three best of its labels.
//
//   classify MODEL LABELS PICTURE.pgm      LABELS: line n names class n; PICTURE: a binary PGM of the model's size
//
// The picture goes in without being copied, and is given back through a callback when nothing needs it any more.

#include <leapstone.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LABEL_LIMIT = 1000, LABEL_LENGTH = 100 };

// Ends the program where a call failed. A service would rather answer with the message.
static void check(leapstone_status status, const char *what) {
  if (status == LEAPSTONE_OK) return;
  fprintf(stderr, "%s: %s\n", what, leapstone_error_message());
  exit(2);
}

static void fail(const char *path, const char *reason) {
  fprintf(stderr, "%s: %s\n", path, reason);
  exit(2);
}

// The grey values of a PGM of this size, from 0 to 1, in memory that the caller frees.
static float *read_picture(const char *path, int64_t width, int64_t height) {
  FILE *file = fopen(path, "rb");
  if (!file) fail(path, "cannot be opened");
  int found_width = 0, found_height = 0, maximum = 0;
  if (fscanf(file, "P5 %d %d %d", &found_width, &found_height, &maximum) != 3 || maximum != 255)
    fail(path, "is no binary PGM with 8 bits");
  fgetc(file);
  if (found_width != width || found_height != height) fail(path, "is not of the model's size");
  size_t count = (size_t)(width * height);
  unsigned char *bytes = malloc(count);
  float *values = malloc(count * sizeof(float));
  if (!bytes || !values) fail(path, "does not fit into memory");
  if (fread(bytes, 1, count, file) != count) fail(path, "ends early");
  for (size_t i = 0; i < count; i++) values[i] = (float)bytes[i] / 255;
  free(bytes);
  fclose(file);
  return values;
}

static size_t read_labels(const char *path, char labels[LABEL_LIMIT][LABEL_LENGTH]) {
  FILE *file = fopen(path, "r");
  if (!file) fail(path, "cannot be opened");
  size_t count = 0;
  while (count < LABEL_LIMIT && fgets(labels[count], LABEL_LENGTH, file)) {
    labels[count][strcspn(labels[count], "\n")] = 0;
    count++;
  }
  fclose(file);
  return count;
}

// Prints the three classes with the highest scores, with a softmax of them.
static void print_best(const float *scores, size_t count, char labels[LABEL_LIMIT][LABEL_LENGTH],
                       size_t label_count) {
  double highest = scores[0], sum = 0;
  for (size_t i = 1; i < count; i++) highest = fmax(highest, scores[i]);
  for (size_t i = 0; i < count; i++) sum += exp(scores[i] - highest);
  size_t shown[3] = {count, count, count};
  for (size_t place = 0; place < 3 && place < count; place++) {
    size_t best = count;
    for (size_t i = 0; i < count; i++)
      if (i != shown[0] && i != shown[1] && (best == count || scores[i] > scores[best])) best = i;
    shown[place] = best;
    printf("%6.2f %%  %s\n", 100 * exp(scores[best] - highest) / sum,
           best < label_count ? labels[best] : "?");
  }
}

// Gives borrowed memory back.
static void release(void *memory) { free(memory); }

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: classify MODEL LABELS PICTURE.pgm\n");
    return 64;
  }
  static char labels[LABEL_LIMIT][LABEL_LENGTH];
  size_t label_count = read_labels(argv[2], labels);

  leapstone_session *session = NULL;
  check(leapstone_session_open(argv[1], NULL, &session), "loading");

  // The model says how large a picture it wants: batch x channels x height x width.
  const leapstone_value_info *input = NULL, *output = NULL;
  check(leapstone_session_info(session, LEAPSTONE_INPUT, 0, &input), "input");
  check(leapstone_session_info(session, LEAPSTONE_OUTPUT, 0, &output), "output");
  if (input->element_type != LEAPSTONE_FLOAT32 || input->rank != 4 || input->dimensions[1] != 1 ||
      input->dimensions[2] < 1 || input->dimensions[3] < 1)
    fail(argv[1], "does not take one grey picture");
  int64_t dimensions[4] = {1, 1, input->dimensions[2], input->dimensions[3]};

  float *picture = read_picture(argv[3], dimensions[3], dimensions[2]);
  size_t bytes = (size_t)(dimensions[2] * dimensions[3]) * sizeof(float);
  leapstone_value *given = NULL;
  check(leapstone_tensor_borrow(LEAPSTONE_FLOAT32, dimensions, 4, picture, bytes, release, picture, &given),
        "picture");

  leapstone_value *result = NULL;
  leapstone_run_options options = LEAPSTONE_RUN_OPTIONS;
  options.timeout = 10;
  check(leapstone_session_run(session, &options, &input->name, &given, 1, &output->name, &result, 1), "run");

  void *scores = NULL;
  size_t size = 0;
  check(leapstone_tensor_data(result, &scores, &size), "scores");
  print_best(scores, size / sizeof(float), labels, label_count);

  check(leapstone_value_free(result), "result");
  check(leapstone_value_free(given), "picture");
  check(leapstone_session_free(session), "session");
  return 0;
}
