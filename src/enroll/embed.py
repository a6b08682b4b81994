"""embed.py SCRIPT: print a C file that holds it, comments left out."""

import sys


def main():
    lines = ["#include \"enroll_script.h\"", "", "const char enroll_script[] ="]
    with open(sys.argv[1], encoding="ascii") as script:
        for line in script:
            text = line.strip()
            if text == "" or text.startswith("#"):
                continue
            text = line.rstrip("\n").replace("\\", "\\\\")
            text = text.replace("\t", "\\t").replace('"', '\\"')
            lines.append(f'    "{text}\\n"')
    print("\n".join(lines) + ";")


main()
