/** Files of which two runs never make the same bytes, and what of them counts. */

type Normal = (text: string, host: string) => string;

const RULES: readonly (readonly [RegExp, Normal])[] = [
  // The name of the machine on which a package was configured.
  [
    /^\/etc\/(mailname|exim4\/update-exim4\.conf\.conf|postfix\/main\.cf|hosts\.equiv|nullmailer\/.*)$/,
    (text, host) => host === "" ? text : text.replaceAll(host, "@"),
  ],
  // crontab's header has the name of a temporary file and a date.
  [
    /^\/var\/spool\/cron\/(crontabs\/)?[^/]+$/,
    (text) => text.replace(/^(# DO NOT EDIT.*\n# \(.*\n# \(.*\n)/, ""),
  ],
  // The list of a Python package's files has its compiled ones, or has not.
  [
    /\.dist-info\/RECORD$/,
    (text) => text.split("\n").filter((line) => !/\.pyc,/.test(line)).toSorted().join("\n"),
  ],
  // dpkg forgets a directory that is missing once another package brings it.
  [
    /^\/var\/lib\/dpkg\/info\/[^/]+\.list$/,
    (text) =>
      text.split("\n").filter((line) => !/^\/usr\/share\/(locale|man|doc)(\/|$)/.test(line)).join(
        "\n",
      ),
  ],
  [/\/direct_url\.json$/, (text) => text.replace(/"file:\/\/[^"]*"/g, '"file"')],
  // The day on which a configuration was made.
  [
    /^\/etc\/ucf\.conf$|^\/var\/lib\/ucf\/(hashfile|registry)$/,
    (text) => text.split("\n").toSorted().join("\n"),
  ],
  [/^\/lib\/apk\/db\/installed$/, (text) => text.split("\n\n").toSorted().join("\n\n")],
];

/** What makes a file comparable; undefined: its bytes are. */
export function normalized(path: string): Normal | undefined {
  return RULES.find(([pattern]) => pattern.test(path))?.[1];
}
