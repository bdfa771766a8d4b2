# See banned.sh. Words are matched outside comments and strings.
BEGIN {
    ban("strcpy strcat sprintf vsprintf gets", "has no limit: use snprintf, memcpy or a struct buffer")
    ban("strtok", "keeps hidden state: use strcspn or strchr")
    ban("alloca", "has no failure: use scratch memory or a struct buffer")
    ban("atoi atol atoll atof", "cannot tell an error: use strtol, strtod and check the end")
    ban("tmpnam tempnam mktemp", "races: use mkstemp or mkdtemp")
    ban("uv_queue_work", "its pool is shared with file and DNS work: use a lane or a thread of your own")
    n_everywhere = n_rules
    ban("printf vprintf puts putchar perror", "prints: a library hands lines to its log sink")
    ban("exit _exit _Exit quick_exit abort", "ends the application: return a status")
    ban("setenv putenv unsetenv setlocale", "changes the application's process")
    n_calls = n_rules
    ban("stdout stderr stdin", "belongs to the command: a library hands lines to its log sink")
}
function ban(words, why,    n, i, word) {
    n = split(words, word, " ")
    for (i = 1; i <= n; i++) {
        n_rules++
        rule_word[n_rules] = word[i]
        rule_why[n_rules] = why
    }
}
function is_library(path) {
    if (path ~ /^(packager|host)\/commands\// || path == "packager/pkgmgr.c" ||
        path == "host/modelhost_command.c" || path == "base/command.c")
        return 0
    return path ~ /^(base|store|packager|host|plugins|include)\//
}
FNR == 1 {
    library = is_library(FILENAME)
}
{
    text = " " code() " "
    # What follows "." or "->" is a member of that name.
    gsub(/(->|\.)[ \t]*[A-Za-z_][A-Za-z0-9_]*/, ".member", text)
    for (i = 1; i <= n_rules; i++) {
        if (i > n_everywhere && !library)
            break
        if (!index(text, rule_word[i]))
            continue
        pattern = "[^A-Za-z0-9_]" rule_word[i] (i > n_calls ? "[^A-Za-z0-9_]" : "[ \t]*\\(")
        if (text ~ pattern)
            found(rule_word[i] (i > n_calls ? "" : "()") " " rule_why[i])
    }
    if (text ~ /[^A-Za-z0-9_](secure_)?getenv[ \t]*\(/ && FILENAME != "base/environment.c" &&
        FILENAME !~ /^(tests|bench|examples)\//)
        found("getenv() belongs to base/environment.c alone")
}
