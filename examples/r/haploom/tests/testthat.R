library(testthat)
library(haploom)

test_check("haploom")
