#pragma once
#include <stddef.h>
#define EOF (-1)
typedef struct FILE FILE;
#ifdef __cplusplus
extern "C"
#endif
int remove(const char*);
