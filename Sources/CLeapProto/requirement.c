// Says what to install where libprotobuf-c is missing; the code that is generated would only name a header.
#include "../CLeapProtobuf/shim.h"
