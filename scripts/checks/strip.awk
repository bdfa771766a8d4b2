# code(): the running line of C without comments and with empty strings; call it once for each line.
function code(    line, out, token) {
    if (FNR == 1)
        in_comment = 0
    line = $0
    out = ""
    for (;;) {
        if (in_comment) {
            if (!(token = index(line, "*/")))
                return out
            line = substr(line, token + 2)
            in_comment = 0
        }
        if (!match(line, /"([^"\\]|\\.)*"|'([^'\\]|\\.)*'|\/\*|\/\//))
            return out line
        out = out substr(line, 1, RSTART - 1)
        token = substr(line, RSTART, RLENGTH)
        line = substr(line, RSTART + RLENGTH)
        if (token == "//")
            return out
        if (token == "/*") {
            in_comment = 1
            out = out " "
        } else {
            out = out substr(token, 1, 1) substr(token, 1, 1)
        }
    }
}
function found(text) {
    printf "%s:%d: %s\n", FILENAME, FNR, text
    n_found++
}
END {
    if (n_found)
        exit 1
}
