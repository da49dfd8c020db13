#pragma once
// Microsoft's annotations, as far as mbedTLS names them for a compiler that says it is Microsoft's.
#define _Check_return_
