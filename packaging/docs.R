# Help pages of a package as HTML that leads from page to page and needs nothing from elsewhere: docs.R PACKAGE FOLDER
arguments <- commandArgs(TRUE)
options(warn = 2, help.htmlmath = "none")
description <- read.dcf(file.path(arguments[1], "DESCRIPTION"))[1, ]
name <- paste(description[["Package"]], description[["Version"]])
files <- list.files(file.path(arguments[1], "man"), "[.]Rd$", full.names = TRUE)
macros <- file.path(R.home("share"), "Rd", "macros", "system.Rd")
pages <- lapply(files, tools::parse_Rd, encoding = "UTF-8", macros = macros)
html <- sub("[.]Rd$", ".html", basename(files))

of <- function(page, tag) {
    parts <- Filter(function(part) attr(part, "Rd_tag") == tag, page)
    vapply(parts, function(part) trimws(paste(unlist(part), collapse = "")), "")
}
links <- unlist(Map(function(page, file) {
    aliases <- of(page, "\\alias")
    setNames(rep(file, length(aliases)), aliases)
}, pages, html), use.names = TRUE)
names(links) <- unlist(lapply(pages, of, "\\alias"))

# R.css comes with R. Pages of other packages are not here: of links to them the text stays.
elsewhere <- tools::findHTMLlinks(level = 1)
stopifnot(file.copy(file.path(R.home("doc"), "html", "R.css"), arguments[2], overwrite = TRUE))
for (i in seq_along(pages)) {
    text <- capture.output(tools::Rd2HTML(pages[[i]], package = c(description[["Package"]], description[["Version"]]),
                                          Links = links, Links2 = elsewhere, dynamic = FALSE, stylesheet = "R.css"))
    text <- gsub("00Index.html", "index.html", text, fixed = TRUE)
    text <- gsub("<a href=\"\\.\\./[^\"]*\">(.*?)</a>", "\\1", text, perl = TRUE)
    writeLines(text, file.path(arguments[2], html[i]), useBytes = TRUE)
}

escape <- function(text) gsub("<", "&lt;", gsub("&", "&amp;", text, fixed = TRUE), fixed = TRUE)
titles <- escape(vapply(pages, function(page) of(page, "\\title")[1], ""))
rows <- sprintf("<tr><td><a href=\"%s\">%s</a></td><td>%s</td></tr>", html, sub("[.]html$", "", html), titles)
writeLines(c("<!DOCTYPE html>", sprintf("<html lang=\"en\"><head><meta charset=\"utf-8\"><title>%s</title>", name),
             "<link rel=\"stylesheet\" href=\"R.css\"></head><body><div class=\"container\">",
             sprintf("<h1>%s</h1><p>%s</p><table>", name, escape(description[["Description"]])), rows,
             "</table></div></body></html>"), file.path(arguments[2], "index.html"), useBytes = TRUE)
