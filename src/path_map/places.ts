import type { Kind } from "./paths.ts";

/**
 * What a value is, by a protocol's schema: a string that is a path, anything at all, a type of the table
 * (its name begins with a capital), `table@member` (by what a sibling says, such as a method's name), a list
 * of several of these that it may be, or what its parts are. Values that can hold no path have no place.
 */
export type Place = Kind | "any" | string | readonly Place[] | PlaceOfParts;

/** Members by name; `[]` is each element, `{}` the value of each member and `{key}` its name. */
export interface PlaceOfParts {
  readonly [member: string]: Place;
}

/** Where a protocol has paths: generated out of its schema by `protocol/generate.ts`. */
export interface PlaceTable {
  readonly types: Readonly<Record<string, Place>>;
  /** By method, command or event: its parts, such as `params` and `result`. */
  readonly messages: Readonly<Record<string, Readonly<Record<string, Place>>>>;
  /** For `table@member`: the place by the sibling's value. */
  readonly tagged: Readonly<Record<string, Readonly<Record<string, Place>>>>;
}

/** A place, looked up. */
export class Node {
  /** What the value is if it is a string. */
  readonly kind: Kind | undefined;
  /** Its schema is the other side's own. */
  readonly any: boolean;
  /** What its members' names are. */
  readonly key: Kind | undefined;
  readonly #table: PlaceTable;
  readonly #parts: readonly PlaceOfParts[];
  readonly #members = new Map<string, Node | undefined>();

  constructor(table: PlaceTable, place: Place) {
    const kinds: string[] = [];
    this.#table = table;
    this.#parts = partsOf(table, place, kinds);
    this.kind = kinds.find((kind) => kind !== "any") as Kind | undefined;
    this.any = kinds.includes("any");
    this.key = this.#parts.map((parts) => parts["{key}"]).find((key) => key !== undefined) as
      | Kind
      | undefined;
  }

  /** Each element of an array. */
  get element(): Node | undefined {
    return this.#part("[]");
  }

  /** A member; `sibling` gives the string value of another member of the same object. */
  member(name: string, sibling: (name: string) => string | undefined): Node | undefined {
    const tag = this.#parts.map((parts) => partOf(parts, name)).find((place) =>
      typeof place === "string" && place.includes("@")
    );
    if (typeof tag === "string") {
      const [table = "", by = ""] = tag.split("@");
      const value = sibling(by);
      const place = value === undefined ? undefined : ownPlace(this.#table.tagged[table], value);
      return new Node(this.#table, place ?? "any");
    }
    return this.#part(name) ?? this.#part("{}");
  }

  #part(name: string): Node | undefined {
    if (this.#members.has(name)) return this.#members.get(name);
    const places = this.#parts.map((parts) => partOf(parts, name)).filter((place) =>
      place !== undefined
    );
    const node = places.length === 0 ? undefined : new Node(this.#table, places);
    this.#members.set(name, node);
    return node;
  }
}

function partOf(parts: PlaceOfParts, name: string): Place | undefined {
  return Object.hasOwn(parts, name) ? parts[name] : undefined;
}

function ownPlace(
  places: Readonly<Record<string, Place>> | undefined,
  name: string,
): Place | undefined {
  return places !== undefined && Object.hasOwn(places, name) ? places[name] : undefined;
}

function partsOf(table: PlaceTable, place: Place, kinds: string[]): PlaceOfParts[] {
  if (typeof place === "string") {
    if (!/^[A-Z_]/.test(place)) kinds.push(place);
    const type = table.types[place];
    return type === undefined ? [] : partsOf(table, type, kinds);
  }
  if (isList(place)) return place.flatMap((one) => partsOf(table, one, kinds));
  return [place];
}

function isList(place: readonly Place[] | PlaceOfParts): place is readonly Place[] {
  return Array.isArray(place);
}

/** The parts of messages, looked up once each. */
export class Places {
  readonly #known = new Map<string, Node | undefined>();

  constructor(private readonly table: PlaceTable) {}

  /** Whether the schema has this method, command or event. */
  has(message: string): boolean {
    return Object.hasOwn(this.table.messages, message);
  }

  /** A part of a message, such as `params`; undefined where it has no path by the schema. */
  of(message: string, part: string): Node | undefined {
    const id = `${part} ${message}`;
    if (this.#known.has(id)) return this.#known.get(id);
    const parts = Object.hasOwn(this.table.messages, message) ? this.table.messages[message] : {};
    const place = parts?.[part];
    const node = place === undefined ? undefined : new Node(this.table, place);
    // What the other side calls its messages is up to it.
    if (this.has(message)) this.#known.set(id, node);
    return node;
  }
}
