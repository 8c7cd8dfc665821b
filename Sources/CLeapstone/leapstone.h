/* leapstone.h: Leapstone for C, and for every language that can call C: runs ONNX models on CPUs.
 *
 *   leapstone_session *session = NULL;
 *   if (leapstone_session_open("model.onnx", NULL, &session) != LEAPSTONE_OK)
 *     fprintf(stderr, "%s\n", leapstone_error_message());
 *
 * Errors     Functions that can fail return a leapstone_status. What went wrong in words is leapstone_error_message(), kept
 *            for each thread. What a function gives back through pointers it leaves NULL or 0 where it fails. Nothing ends the
 *            process: no model, no input, no NULL and no stale or mistaken handle.
 * Handles    Pointers to incomplete types are handles: never read what they point to. Every handle that a function gives out
 *            is the caller's to free, once, with the function of its type. Freeing NULL does nothing. A handle that is freed,
 *            is of another type, or never was one, is answered by LEAPSTONE_INVALID_HANDLE. Freeing while a call on another
 *            thread still uses the object is safe: it lives until that call returns.
 * Memory     Text and arrays behind pointers to const belong to the object that was asked, and live until its handle is freed.
 * Threads    All functions may be called from any thread. Runs of one session go on at once; options and profiles
 *            serve one thread at a time. The number of threads of a BLAS that the program has itself is left alone.
 * Text       UTF-8, ended by a NUL. Elements of string tensors carry their lengths. What is no UTF-8 is refused.
 * Later      Constants keep their values, structures are only ever added to at the end: one that the library hands out is
 *            reached by pointer, one that the caller fills begins with its size. */

#ifndef LEAPSTONE_H
#define LEAPSTONE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Library ---------------------------------------------------------------------------------------------------------- */

/* What came of a call. */
typedef int32_t leapstone_status;
enum {
  LEAPSTONE_OK = 0,
  /* An argument means nothing here: NULL, an index that is too large, an unknown name, a type or shape that does not fit,
   * an option without meaning. */
  LEAPSTONE_INVALID_ARGUMENT = 1,
  /* A handle that is freed, of another type, or none at all. */
  LEAPSTONE_INVALID_HANDLE = 2,
  /* There is no file of this name. */
  LEAPSTONE_NO_SUCH_FILE = 3,
  /* A file is there and cannot be read, or has changed since the session was made. */
  LEAPSTONE_UNREADABLE = 4,
  /* The bytes are no ONNX model: another format, cut off, or broken. */
  LEAPSTONE_NOT_ONNX = 5,
  /* The model breaks a rule of ONNX, or exceeds a limit that protects the process. */
  LEAPSTONE_INVALID_MODEL = 6,
  /* The model needs an operator, or a version or type of it, that Leapstone does not have. */
  LEAPSTONE_UNSUPPORTED = 7,
  /* A node cannot compute with the values that it met. */
  LEAPSTONE_RUN_FAILED = 8,
  /* The run was cancelled. */
  LEAPSTONE_CANCELLED = 9,
  /* The run took longer than its timeout. */
  LEAPSTONE_TIMED_OUT = 10,
  /* As many runs as the session admits are in flight and queued. */
  LEAPSTONE_BUSY = 11,
  /* The session's memory budget does not suffice, or the system refused memory. */
  LEAPSTONE_OUT_OF_MEMORY = 12,
  /* A mistake of Leapstone's own. */
  LEAPSTONE_INTERNAL = 13
};

/* The library's version: "0.1.0". */
const char *leapstone_version(void);

/* What went wrong in the last call on this thread that did not return LEAPSTONE_OK; empty before the first. Valid until the next
 * such call on the thread. Control characters that models bring along are escaped. */
const char *leapstone_error_message(void);

/* The instruction sets that kernels are written for and this machine has, joined by commas, the preferred one first:
 * "avx512,avx2,portable". The first is used, or what the environment variable LEAPSTONE_ISA names. */
const char *leapstone_instruction_sets(void);

/* ---- Options of a session --------------------------------------------------------------------------------------------- */

typedef struct leapstone_options leapstone_options;

leapstone_status leapstone_options_create(leapstone_options **options);

/* Sets one option. Keys are the flags of the command-line tools, without dashes:
 *
 *   threads          N | auto                  workers of a run; auto (the default): what affinity and control groups allow
 *   disable-pass     NAME | all       *        an optimisation pass to leave out
 *   weights          owned | mapped            owned (the default): weights are read into memory of the session's own; mapped:
 *                                              those that can be used as they lie stay mapped from the file. Truncating the file
 *                                              while the session lives then ends the process.
 *   memory-policy    fast | balanced | lean    speed against memory (balanced): fast packs weights and takes scratch as it likes,
 *                                              lean little. Results may differ in their last places
 *   isa              auto | avx512 | avx2 | neon | portable
 *                                              the instruction set of the kernels; auto (the default): what LEAPSTONE_ISA names,
 *                                              or the best there is. One that the machine does not have is refused when a
 *                                              session is opened
 *   memory-budget    SIZE | auto               bytes for weights, working memory and outputs together: 64MiB, 64MB, 67108864
 *   cache            DIRECTORY                 where weights are kept as the kernels want them, so that the next session with
 *                                              the same model and options is ready at once; made where there is none, for
 *                                              this user alone. Its files are mapped, whatever weights says. Models from
 *                                              bytes are not kept; "" (the default) is none
 *   concurrency      N                         runs that may be in flight (2)
 *   queue            N                         runs that may wait beside those (64); a further one is refused as BUSY
 *   algorithm        [NODE=]NAME      *        the algorithm that a node, or every node that has it, must use
 *   forbid           NAME             *        an algorithm that no node may use
 *   external-root    DIRECTORY        *        where files of external data may lie besides the model's own directory; for a
 *                                              model from bytes there is no other
 *   dim              NAME=N           *        gives a symbolic extent of the inputs a value
 *   flush-denormals  true | false              takes denormal floats for zero; results then differ in the last places
 *
 * Those with * may be set several times, each time adding. Unknown keys, and values without meaning, are
 * INVALID_ARGUMENT and change nothing. */
leapstone_status leapstone_options_set(leapstone_options *options, const char *key, const char *value);

leapstone_status leapstone_options_free(leapstone_options *options);

/* ---- Sessions --------------------------------------------------------------------------------------------------------- */

/* A model, loaded and optimised, ready to run; planned for each shape that it meets. */
typedef struct leapstone_session leapstone_session;

/* Loads a model from a file. options may be NULL, and may be changed or freed afterwards. */
leapstone_status leapstone_session_open(const char *path, const leapstone_options *options,
                                        leapstone_session **session);

/* Loads a model from size bytes, which are the caller's again when the function returns. */
leapstone_status leapstone_session_open_bytes(const void *bytes, size_t size, const leapstone_options *options,
                                              leapstone_session **session);

leapstone_status leapstone_session_free(leapstone_session *session);

/* What a value can be. */
typedef int32_t leapstone_kind;
enum {
  LEAPSTONE_TENSOR = 1,
  LEAPSTONE_SEQUENCE = 2,
  LEAPSTONE_OPTIONAL = 3,
  /* Types of a model alone: no value that goes in or comes out is one. */
  LEAPSTONE_MAP = 4,
  LEAPSTONE_SPARSE_TENSOR = 5
};

/* The type of a tensor's elements, numbered as in ONNX's TensorProto.DataType. */
typedef int32_t leapstone_element_type;
enum {
  LEAPSTONE_FLOAT32 = 1,
  LEAPSTONE_UINT8 = 2,
  LEAPSTONE_INT8 = 3,
  LEAPSTONE_UINT16 = 4,
  LEAPSTONE_INT16 = 5,
  LEAPSTONE_INT32 = 6,
  LEAPSTONE_INT64 = 7,
  LEAPSTONE_STRING = 8,
  LEAPSTONE_BOOL = 9,
  LEAPSTONE_FLOAT16 = 10,
  LEAPSTONE_FLOAT64 = 11,
  LEAPSTONE_UINT32 = 12,
  LEAPSTONE_UINT64 = 13,
  LEAPSTONE_COMPLEX64 = 14,
  LEAPSTONE_COMPLEX128 = 15,
  LEAPSTONE_BFLOAT16 = 16,
  LEAPSTONE_FLOAT8E4M3FN = 17,
  LEAPSTONE_FLOAT8E4M3FNUZ = 18,
  LEAPSTONE_FLOAT8E5M2 = 19,
  LEAPSTONE_FLOAT8E5M2FNUZ = 20,
  LEAPSTONE_UINT4 = 21,
  LEAPSTONE_INT4 = 22,
  LEAPSTONE_FLOAT4E2M1 = 23,
  LEAPSTONE_FLOAT8E8M0 = 24,
  LEAPSTONE_UINT2 = 25,
  LEAPSTONE_INT2 = 26,
  LEAPSTONE_FLOAT6E2M3 = 27,
  LEAPSTONE_FLOAT6E3M2 = 28
};

/* An input, output or overridable initializer of a model. */
typedef struct leapstone_value_info {
  const char *name;
  /* The type as ONNX writes it: "tensor(float)", "seq(tensor(int64))", "optional(seq(tensor(float)))",
   * "map(int64,tensor(float))", "sparse_tensor(double)". */
  const char *type;
  leapstone_kind kind;
  /* Of a tensor, or of the tensors in a sequence or optional; 0 for a map. */
  leapstone_element_type element_type;
  /* The number of dimensions of those tensors; -1 where the model does not say. */
  int32_t rank;
  /* rank extents; -1 where one is not known. */
  const int64_t *dimensions;
  /* rank texts; the name or expression of an extent that is not known, or NULL: "batch", "2*height". */
  const char *const *symbols;
} leapstone_value_info;

/* Which of a model's values. */
typedef int32_t leapstone_role;
enum {
  /* What a run must be given. */
  LEAPSTONE_INPUT = 1,
  /* What a run returns unless other values are asked for. */
  LEAPSTONE_OUTPUT = 2,
  /* Inputs with a default: what a run may be given. */
  LEAPSTONE_INITIALIZER = 3
};

/* How many values the model has in a role. */
leapstone_status leapstone_session_count(const leapstone_session *session, leapstone_role role, size_t *count);

/* One of them, in the model's order. */
leapstone_status leapstone_session_info(const leapstone_session *session, leapstone_role role, size_t index,
                                        const leapstone_value_info **info);

/* Names of all values that the model's nodes compute, in the order of computation: each may be asked for as an output. */
leapstone_status leapstone_session_value_names(const leapstone_session *session, const char *const **names,
                                               size_t *count);

/* What was odd about the model, but no error. */
leapstone_status leapstone_session_warnings(const leapstone_session *session, const char *const **warnings,
                                            size_t *count);

/* What a model's file says about itself. */
typedef struct leapstone_metadata {
  const char *producer_name;
  const char *producer_version;
  const char *domain;
  const char *graph_name;
  const char *graph_description;
  const char *description;
  int64_t version;
  int64_t ir_version;
  /* The model's own key-value pairs, in the file's order. */
  size_t property_count;
  const char *const *property_keys;
  const char *const *property_values;
  /* Opset versions by domain; ONNX's own domain is "". */
  size_t opset_count;
  const char *const *opset_domains;
  const int64_t *opset_versions;
} leapstone_metadata;

leapstone_status leapstone_session_metadata(const leapstone_session *session, const leapstone_metadata **metadata);

/* Bytes that the session holds for weights: mapped from files, and in memory of its own. */
leapstone_status leapstone_session_weight_bytes(const leapstone_session *session, uint64_t *mapped, uint64_t *owned);

/* The working memory, in bytes, that a run takes besides weights and outputs; without running. Where shapes depend on elements of
 * other values, as much as is known: up to the first of them.
 *
 * names, dimensions and ranks hold count entries, one for each input. Inputs of which the model knows the
 * shape, sequences and optionals may be left out. */
leapstone_status leapstone_session_working_memory(const leapstone_session *session, const char *const *names,
                                                  const int64_t *const *dimensions, const size_t *ranks, size_t count,
                                                  uint64_t *bytes);

/* ---- Values ----------------------------------------------------------------------------------------------------------- */

/* What goes into a run and comes out of it: a tensor, a sequence of values, or an optional value. */
typedef struct leapstone_value leapstone_value;

/* Called once, on whichever thread it happens, when nothing needs borrowed memory any more. */
typedef void (*leapstone_release)(void *context);

/* A tensor over memory that stays the caller's; nothing is copied.
 *
 * data holds byte_count bytes: the elements in row-major order, little-endian, aligned as their type wants, those of fewer than
 * 8 bits packed as in ONNX's raw_data, bools as bytes 0 and 1. It must not change or vanish until release(context) is
 * called, which happens after the value is freed and no run and no other value that shares the memory needs it. release may
 * be NULL; it is not called where this function fails. Memory that a run is to write into must be writable. */
leapstone_status leapstone_tensor_borrow(leapstone_element_type type, const int64_t *dimensions, size_t rank, void *data,
                                         size_t byte_count, leapstone_release release, void *context,
                                         leapstone_value **value);

/* A tensor with memory of its own, aligned to 64 bytes. data as above is copied; NULL for a tensor of zeros. */
leapstone_status leapstone_tensor_create(leapstone_element_type type, const int64_t *dimensions, size_t rank,
                                         const void *data, size_t byte_count, leapstone_value **value);

/* A tensor of strings: a copy of as many as dimensions ask for, in row-major order. lengths in bytes; NULL where the strings end
 * with a NUL. */
leapstone_status leapstone_tensor_create_strings(const int64_t *dimensions, size_t rank, const char *const *strings,
                                                 const size_t *lengths, leapstone_value **value);

/* A sequence of count values, all of one type, whatever their shapes. They are shared, not copied, and may be freed. One without
 * values stands for an empty sequence of any type. */
leapstone_status leapstone_sequence_create(leapstone_value *const *items, size_t count, leapstone_value **value);

/* An optional that holds a value, shared as above, or none where item is NULL: then it stands for one of any type. */
leapstone_status leapstone_optional_create(leapstone_value *item, leapstone_value **value);

/* Memory that is still shared, with an output say, stays until that is freed too. */
leapstone_status leapstone_value_free(leapstone_value *value);

/* LEAPSTONE_TENSOR, LEAPSTONE_SEQUENCE or LEAPSTONE_OPTIONAL. */
leapstone_status leapstone_value_kind(const leapstone_value *value, leapstone_kind *kind);

/* Element type and extents of a tensor. Each pointer may be NULL where that is not wanted, dimensions has rank entries. */
leapstone_status leapstone_tensor_info(const leapstone_value *value, leapstone_element_type *type,
                                       const int64_t **dimensions, size_t *rank);

/* The elements of a tensor of any type but strings, where they lie: laid out as in leapstone_tensor_borrow. Writing through the
 * pointer is for tensors that the caller made, and for outputs of runs, while no run reads or writes them. */
leapstone_status leapstone_tensor_data(const leapstone_value *value, void **data, size_t *byte_count);

/* The elements of a tensor of strings. */
leapstone_status leapstone_tensor_strings(const leapstone_value *value, const char *const **strings,
                                          const size_t **lengths, size_t *count);

/* How many values a sequence has; 1 or 0 for an optional that holds one or none. */
leapstone_status leapstone_value_count(const leapstone_value *value, size_t *count);

/* One value of a sequence, or that of an optional, index 0: shared, under a handle of its own. */
leapstone_status leapstone_value_item(const leapstone_value *value, size_t index, leapstone_value **item);

/* ---- Runs ------------------------------------------------------------------------------------------------------------- */

/* A switch that ends runs early. */
typedef struct leapstone_cancellation leapstone_cancellation;

leapstone_status leapstone_cancellation_create(leapstone_cancellation **cancellation);

/* Ends all runs that were started with it, from any thread, and those that are started with it later. */
leapstone_status leapstone_cancellation_cancel(leapstone_cancellation *cancellation);

leapstone_status leapstone_cancellation_free(leapstone_cancellation *cancellation);

/* A record of the steps of runs. A run that is recorded takes a little longer. */
typedef struct leapstone_profile leapstone_profile;

/* One step of a run: a node with what was fused into it, or a change of layout that the plan added. */
typedef struct leapstone_step {
  /* The node's name in the model. */
  const char *name;
  const char *operator_type;
  /* The kernel that was chosen. */
  const char *algorithm;
  /* Steps of one stage may overlap; they are given the stage's times. */
  int64_t stage;
  /* Nanoseconds of the system's monotonic clock. */
  uint64_t start;
  uint64_t end;
} leapstone_step;

leapstone_status leapstone_profile_create(leapstone_profile **profile);

/* The steps of all runs that were started with it and have ended, one run after the other. Valid until the next
 * run with this profile ends. */
leapstone_status leapstone_profile_steps(const leapstone_profile *profile, const leapstone_step **steps,
                                         size_t *count);

leapstone_status leapstone_profile_free(leapstone_profile *profile);

/* How one run goes about it. Start from LEAPSTONE_RUN_OPTIONS, which fills in the size. */
typedef struct leapstone_run_options {
  size_t size;
  /* Seconds that it may take, waiting for other runs included; 0 for no limit. */
  double timeout;
  /* What may end it early, or NULL. */
  leapstone_cancellation *cancellation;
  /* Where its steps are recorded, or NULL. */
  leapstone_profile *profile;
} leapstone_run_options;

#define LEAPSTONE_RUN_OPTIONS {sizeof(leapstone_run_options), 0, NULL, NULL}

/* Runs the model, and returns when it is done.
 *
 * options       NULL for none.
 * input_names   input_count names: every input, and those initializers that are to be replaced.
 * inputs        their values, of the kinds and element types that the model declares: a tensor is no optional, nor a sequence.
 * output_names  output_count names, of any values of the graph; NULL for the model's outputs, all of them, in its order.
 * outputs       output_count entries. Where one is NULL, the function puts a new value there, whose memory, that of the items
 *               of a sequence too, is nobody else's. Where one is a tensor, its type and shape must be the result's, and the
 *               result is written into its memory, which no input and no other output may overlap.
 *
 * After an error, entries that were NULL are NULL again, and what tensors that were given hold is undefined. */
leapstone_status leapstone_session_run(const leapstone_session *session, const leapstone_run_options *options,
                                       const char *const *input_names, leapstone_value *const *inputs,
                                       size_t input_count, const char *const *output_names,
                                       leapstone_value **outputs, size_t output_count);

#ifdef __cplusplus
}
#endif

#endif
