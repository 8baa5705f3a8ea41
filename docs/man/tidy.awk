# tidy.awk - what mandoc -T lint minds in scdoc's output: paragraph macros beside headings or in a
# row, spaces at ends of lines, a title in lower case.
/^\.PP?$/ { held = $0; next }
/^\.TH / { $2 = toupper($2) }
{
    sub(/ +$/, "")
    if (held && last !~ /^\.(S[HS]|TH) ?/ && $0 !~ /^\.(S[HS]|RE)( |$)/)
        print held
    held = ""
    print
    last = $0
}
