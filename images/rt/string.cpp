// The C string functions that compilers, libc++ and mbedTLS call.
#include <string.h>

extern "C" {

size_t strlen(const char* text) {
  size_t length = 0;
  while (text[length] != 0) {
    ++length;
  }
  return length;
}

int strncmp(const char* left, const char* right, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    const int difference =
        static_cast<unsigned char>(left[i]) - static_cast<unsigned char>(right[i]);
    if (difference != 0 || left[i] == 0) {
      return difference;
    }
  }
  return 0;
}

int strcmp(const char* left, const char* right) {
  return strncmp(left, right, ~size_t{0});
}

char* strchr(const char* text, int wanted) {
  for (;; ++text) {
    if (*text == static_cast<char>(wanted)) {
      return const_cast<char*>(text);
    }
    if (*text == 0) {
      return nullptr;
    }
  }
}

char* strrchr(const char* text, int wanted) {
  char* last = nullptr;
  for (;; ++text) {
    if (*text == static_cast<char>(wanted)) {
      last = const_cast<char*>(text);
    }
    if (*text == 0) {
      return last;
    }
  }
}

char* strstr(const char* text, const char* wanted) {
  const size_t length = strlen(wanted);
  for (;; ++text) {
    if (strncmp(text, wanted, length) == 0) {
      return const_cast<char*>(text);
    }
    if (*text == 0) {
      return nullptr;
    }
  }
}
}
