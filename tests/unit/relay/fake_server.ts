import type { Server } from "../../../src/relay/link.ts";
import { Framer, Reader, Type, Writer } from "../../../src/relay/wire.ts";

/** A server in this process; `answer` gets each request: type, id, and the fields behind it. */
export class Fake implements Server {
  readonly stdin: Server["stdin"];
  readonly stdout: Server["stdout"];
  readonly status: Promise<Deno.CommandStatus>;
  private readonly ended = Promise.withResolvers<Deno.CommandStatus>();
  private output: ReadableByteStreamController | undefined;

  constructor(
    private readonly answer: (server: Fake, type: number, id: number, fields: Reader) => void,
  ) {
    const framer = new Framer((packet) => {
      if (packet[0] !== Type.INIT) {
        const fields = new Reader(packet.slice(), 1);
        return this.answer(this, packet[0] ?? 0, fields.u32(), fields);
      }
      this.say(new Writer().begin(Type.VERSION).u32(3).end());
      this.answer(this, Type.INIT, 0, new Reader(packet, 1));
    });
    const writable = new WritableStream<Uint8Array>({ write: (chunk) => framer.push(chunk) });
    const readable = new ReadableStream({
      type: "bytes",
      start: (output) => void (this.output = output),
    });
    this.stdin = writable as Server["stdin"];
    this.stdout = readable as Server["stdout"];
    this.status = this.ended.promise;
  }

  say(packet: Writer): void {
    this.output?.enqueue(packet.view().slice());
  }

  ok(id: number): void {
    this.say(new Writer().begin(Type.STATUS, id).u32(0).text("").text("").end());
  }

  /** Ends its output too, unless somebody else holds that open. */
  hangUp(): void {
    this.output?.close();
    this.output?.byobRequest?.respond(0);
  }

  kill(): void {
    this.ended.resolve({ success: false, code: 137, signal: "SIGKILL" });
  }
}
