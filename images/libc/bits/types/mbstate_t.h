#pragma once
typedef struct {
  unsigned value;
} mbstate_t;
