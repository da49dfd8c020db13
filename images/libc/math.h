#pragma once
// What libc++'s <cmath> needs to parse; guests use no floating point.
#define FP_NAN 0
#define FP_INFINITE 1
#define FP_NORMAL 2
#define FP_SUBNORMAL 3
#define FP_ZERO 4
#ifdef __cplusplus
extern "C++" {
inline bool isnan(double value) { return __builtin_isnan(value); }
inline bool isinf(double value) { return __builtin_isinf(value); }
inline bool isfinite(double value) { return __builtin_isfinite(value); }
}
#endif
