# Layouts, packings, windows, strides, seeks and ends against a plain C copy, and every format out and in again.
"$HERE/compile" streams shared shared -lm
./shared
