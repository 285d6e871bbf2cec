/** What dpkg knows of packages, and what follows from it. */

interface Package {
  readonly isInstalled: boolean;
  readonly version: string;
  /** Each a list of alternatives. */
  readonly depends: readonly (readonly string[])[];
  readonly recommends: readonly (readonly string[])[];
  readonly provides: readonly string[];
}

export type Packages = ReadonlyMap<string, Package>;

/** The packages in /var/lib/dpkg/status, by name. */
export function parseStatus(text: string): Packages {
  const packages = new Map<string, Package>();
  for (const paragraph of text.split(/\n\n+/)) {
    const field = (name: string): string =>
      new RegExp(`^${name}: (.*(?:\n .*)*)`, "m").exec(paragraph)?.[1] ?? "";
    const name = field("Package");
    if (name === "") continue;
    packages.set(name, {
      isInstalled: /\binstalled$/.test(field("Status")),
      version: field("Version"),
      depends: [...relations(field("Pre-Depends")), ...relations(field("Depends"))],
      recommends: relations(field("Recommends")),
      provides: relations(field("Provides")).map(([first = ""]) => first),
    });
  }
  return packages;
}

function relations(text: string): string[][] {
  if (text.trim() === "") return [];
  return text.split(",").map((group) =>
    group.split("|").map((word) => word.trim().replace(/[\s:(].*$/s, "")).filter(Boolean)
  );
}

/** What a session's packages are, against the base and the image that the session began with. */
export interface PackageFacts {
  readonly container: Packages;
  readonly overlay: Packages;
  readonly base: Packages;
}

/** Whether what was asked for brings all new packages, without what is only recommended. */
export function needNoRecommends(facts: PackageFacts, requested: readonly string[]): boolean {
  const { container, base } = facts;
  const reached = closureOf(container, requested);
  return [...container].every(([name, { isInstalled }]) =>
    !isInstalled || isIn(base, name) || reached.has(name) || isOverlays(facts, name)
  );
}

/**
 * Packages that apt would add to the image although the session has not got them: what is recommended by those
 * that were there already, for sshd's sake, when the session asked for something that depends on them.
 */
export function unwanted(facts: PackageFacts, requested: readonly string[]): string[] {
  const { container } = facts;
  const found = new Set<string>();
  const names = providers(container);
  for (const name of closureOf(container, requested)) {
    if (!isOverlays(facts, name)) continue;
    for (const alternatives of container.get(name)?.recommends ?? []) {
      if (!alternatives.some((other) => names.has(other))) {
        for (const other of alternatives) found.add(other);
      }
    }
  }
  return [...found].toSorted();
}

function isOverlays({ overlay, base }: PackageFacts, name: string): boolean {
  return isIn(overlay, name) && !isIn(base, name);
}

function isIn(packages: Packages, name: string): boolean {
  return packages.get(name)?.isInstalled === true;
}

/** By name, also of what is provided: an installed package. */
function providers(packages: Packages): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const [name, { isInstalled, provides }] of packages) {
    if (!isInstalled) continue;
    for (const other of provides) if (!names.has(other)) names.set(other, name);
  }
  for (const [name, { isInstalled }] of packages) if (isInstalled) names.set(name, name);
  return names;
}

/** Installed packages that these depend on, with themselves. */
function closureOf(packages: Packages, requested: readonly string[]): ReadonlySet<string> {
  const names = providers(packages);
  const reached = new Set<string>();
  const queue = requested.map((word) => word.replace(/[:=/].*$/, ""));
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    const real = names.get(name);
    if (real === undefined || reached.has(real)) continue;
    reached.add(real);
    for (const alternatives of packages.get(real)?.depends ?? []) {
      queue.push(...alternatives.filter((other) => names.has(other)));
    }
  }
  return reached;
}
