/* made_models.h - small models with random weights, of which workloads.c runs each. */
#ifndef MADE_MODELS_H
#define MADE_MODELS_H

/* Writes an author's folder, to be removed and freed: "gpt2" (2 layers of 256, 2,000 tokens, texts of 128), "lstm" (2 layers of
 * 256, 64 ids), "resnet" (one block of 256, 10 classes). Ends the program when that cannot be done. */
char *made_model(const char *kind);

#endif
