/* input_worker.h - what turns inputs into tensors, beside its peers: a part of `make bench`, see inputs.py. */
#ifndef INPUT_WORKER_H
#define INPUT_WORKER_H

/* `kind` "tokenize": the tokenizer of `folder`; "image": pictures of 224 x 224, bilinear. Answers on one thread, in
 * the words of bench.c:
 *   inputs OUTPUT FILE   tokenize: texts, each with a zero byte behind it; image: a JPEG or PNG
 *   run                  nanoseconds of encoding all texts, each with its special tokens, or of decoding and resizing
 *   output FILE          the ids or the bytes of the last run, as float32 (ids up to 2^24 are exact)
 * Returns the exit code. */
int input_worker_serve(const char *kind, const char *folder);

#endif
