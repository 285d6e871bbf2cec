function dockerdo
    if not contains -- "$argv[1]" init up attach; or not isatty stdout
        command dockerdo $argv
        return
    end
    set -l script (command dockerdo $argv)
    set -l code $status
    if test $code -ne 0
        return $code
    end
    if test (count $script) -eq 1; and test -f "$script[1]"
        source $script[1]
    else if test (count $script) -gt 0
        printf '%s\n' $script
    end
end
