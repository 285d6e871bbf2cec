import type { Bytes } from "../bytes.ts";
/** What both ends understand. */
export type Format = "zstd" | "gzip" | "none";

/** Starts a program that is fed a stream and yields what the program makes of it. */
export type Through = (
  argv: readonly string[],
  source: AsyncIterable<Bytes>,
) => AsyncIterable<Bytes>;

/** At least so much is sent uncompressed, before the link is judged by the later half of the time it took. */
const TRIAL = 4 * 2 ** 20;
const TRIAL_MS = 300;
/** Then so much is sent compressed, for comparison. */
const COMPRESSED_TRIAL = 8 * 2 ** 20;
/** With less to send, a trial would cost more than compressing for nothing. */
const WORTH_A_TRIAL = 4 * TRIAL;
/** Bytes per second: a processor core that has other work, too, hardly compresses faster. */
const FAST_LINK = 50e6;
/** Bytes per second: on a slower link there is time to compress harder, and building there is an alternative. */
export const SLOW_LINK = 4e6;
/** Compression has to be so many times faster to be worth its work. */
const WORTH_ITS_WORK = 1.2;

const ARGV = {
  zstd: { usual: ["zstd", "-q", "-3", "-c"], harder: ["zstd", "-q", "-9", "-c"] },
  gzip: { usual: ["gzip", "-3", "-c"], harder: ["gzip", "-6", "-c"] },
} as const;

/** A compressed format's way to carry bytes as they are. */
interface Stored {
  readonly start: () => Bytes;
  /** The bytes in front of a piece of at most `most` bytes. */
  readonly before: (piece: Bytes) => Bytes;
  readonly most: number;
  readonly end: () => Bytes;
}

/**
 * Yields the stream in a format. Where there is much to send, it begins uncompressed (in frames of the same
 * format, so that the other end need not know) and goes on compressed; the way that proved faster is that of
 * the rest. So neither a fast link nor one that is not what holds things up has to pay for compression. A piece
 * is good until the next is asked for, and so may be those of the source.
 */
export async function* compress(
  source: AsyncIterable<Bytes>,
  { format, size, through, onRate, chosen, onChoice, now = () => performance.now() }: {
    readonly format: Format;
    /** Bytes to come, as far as is known. */
    readonly size: number;
    readonly through: Through;
    /** The program that an earlier stream over the same link has chosen: it is not tried again. */
    readonly chosen?: readonly string[] | undefined;
    /** Hears which program is chosen. */
    readonly onChoice?: ((argv: readonly string[]) => void) | undefined;
    /** Hears what the link carries, in bytes per second, when it has been measured. */
    readonly onRate?: (bytesPerSecond: number) => void;
    readonly now?: () => number;
  },
): AsyncGenerator<Bytes> {
  const pieces = source[Symbol.asyncIterator]();
  if (format !== "none" && size < WORTH_A_TRIAL) {
    return yield* through(ARGV[format].usual, upTo(pieces, Infinity));
  }
  if (chosen !== undefined) return yield* through(chosen, upTo(pieces, Infinity));
  let plain = yield* uncompressed(pieces, { format, now, enough: isEnough });
  if (plain !== undefined) onRate?.(plain);
  // What comes first may be what does not compress: the comparison is made again, ever more rarely.
  for (let next = 2 * COMPRESSED_TRIAL; plain !== undefined; next *= 2) {
    if (format !== "none" && plain < FAST_LINK) {
      const argv = ARGV[format][plain < SLOW_LINK ? "harder" : "usual"];
      const began = now();
      const trial = { bytes: 0 };
      yield* through(argv, upTo(pieces, COMPRESSED_TRIAL, trial));
      if (trial.bytes < COMPRESSED_TRIAL) return;
      if (trial.bytes / (now() - began) * 1000 > WORTH_ITS_WORK * plain) {
        onChoice?.(argv);
        return yield* through(argv, upTo(pieces, Infinity));
      }
    }
    plain = yield* uncompressed(pieces, { format, now, enough: ({ sent }) => sent >= next });
  }
}

interface Course {
  /** Bytes that were taken. */
  readonly sent: number;
  /** Milliseconds that they were waited for. */
  readonly waited: number;
}

function isEnough({ sent, waited }: Course): boolean {
  return sent >= TRIAL && waited >= TRIAL_MS;
}

/**
 * Yields pieces as they are until it is enough, and returns the bytes per second in the later half of the time;
 * undefined where the pieces came to their end.
 */
async function* uncompressed(
  pieces: AsyncIterator<Bytes>,
  { format, now, enough }: {
    readonly format: Format;
    readonly now: () => number;
    readonly enough: (course: Course) => boolean;
  },
): AsyncGenerator<Bytes, number | undefined> {
  const stored = format === "none" ? PLAIN : await STORED[format]();
  // The same memory for all pieces: what is new has to be cleared, and then collected.
  const framed = format === "none" ? NOTHING : new Uint8Array(LONGEST_HEADER + stored.most);
  const course: Course[] = [];
  let [sent, waited] = [0, 0];
  yield stored.start();
  for (let next = await pieces.next(); next.done !== true; next = await pieces.next()) {
    for (let at = 0; at < next.value.length; at += stored.most) {
      const piece = next.value.subarray(at, at + stored.most);
      const began = now();
      const header = stored.before(piece);
      if (header.length === 0) yield piece;
      else {
        framed.set(header);
        framed.set(piece, header.length);
        yield framed.subarray(0, header.length + piece.length);
      }
      waited += now() - began;
      sent += piece.length;
    }
    if (waited <= 2 * TRIAL_MS || sent < 2 * TRIAL) course.push({ sent, waited });
    if (!enough({ sent, waited })) continue;
    yield stored.end();
    const half = course.find((point) => point.waited >= waited / 2) ?? { sent: 0, waited: 0 };
    return (sent - half.sent) / Math.max(waited - half.waited, 0.001) * 1000;
  }
  yield stored.end();
  return undefined;
}

/** The next pieces until they are so many bytes; counts them. */
async function* upTo(
  pieces: AsyncIterator<Bytes>,
  most: number,
  counted = { bytes: 0 },
): AsyncGenerator<Bytes> {
  while (counted.bytes < most) {
    const next = await pieces.next();
    if (next.done === true) return;
    counted.bytes += next.value.length;
    yield next.value;
  }
}

/** Bytes; gzip's. */
const LONGEST_HEADER = 5;
const NOTHING = new Uint8Array();
const PLAIN: Stored = {
  start: () => NOTHING,
  before: () => NOTHING,
  most: Infinity,
  end: () => NOTHING,
};

const STORED: Readonly<Record<Exclude<Format, "none">, () => Stored | Promise<Stored>>> = {
  // RFC 8878: a frame header without content size, window of 1 MiB; then raw blocks (type 0).
  zstd: () => {
    const header = (length: number, last: 0 | 1): Bytes => {
      const bits = length << 3 | last;
      return Uint8Array.of(bits & 0xff, bits >> 8 & 0xff, bits >> 16);
    };
    return {
      start: () => Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x50),
      before: (piece) => header(piece.length, 0),
      most: 128 * 1024,
      end: () => header(0, 1),
    };
  },
  // RFC 1952 and RFC 1951: a member of stored blocks, then the CRC and the length.
  gzip: async () => {
    // Not for all: it takes 15 ms or more to load.
    const { crc32 } = await import("node:zlib");
    let crc = 0;
    let length = 0;
    const header = (size: number, last: 0 | 1): Bytes =>
      Uint8Array.of(last, size & 0xff, size >> 8, ~size & 0xff, ~size >> 8 & 0xff);
    return {
      start: () => Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff),
      before: (piece) => {
        crc = crc32(piece, crc);
        length += piece.length;
        return header(piece.length, 0);
      },
      most: 65_535,
      end: () => {
        const tail = new Uint8Array(13);
        tail.set(header(0, 1));
        const view = new DataView(tail.buffer);
        view.setUint32(5, crc, true);
        view.setUint32(9, length % 2 ** 32, true);
        return tail;
      },
    };
  },
};
