# Threads with errors of their own, one model for many, tables raced, a call stopped from another thread: both libraries.
"$HERE/compile" threads shared
"$HERE/compile" threads static static
./shared
./static fast

# With a thread sanitizer in the program. It looks at what the program itself reads and writes, also of what the library
# gave it; the library's own loads and stores carry no instrumentation, so a race inside it is not seen here, and its
# calls of the C library are left out, because the locks that order them are not seen either.
"$HERE/compile" threads tsan shared -fsanitize=thread
TSAN_OPTIONS="exitcode=66 halt_on_error=1 ignore_noninstrumented_modules=1" ./tsan fast
