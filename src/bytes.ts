/** Bytes that live in memory of their own, as the streams of the platform want them. */
export type Bytes = Uint8Array<ArrayBuffer>;
