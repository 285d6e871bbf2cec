/**
 * Conversations of neovim 0.7 with clangd 14, pylsp 1.7, gopls 0.5 and typescript-language-server 4.4, recorded on both
 * sides of `dodo --lsp`: diagnostics, definitions in the standard library, references, rename, formatting.
 */

import assert from "node:assert/strict";
import { FrameReader, headFor } from "../../../src/path_map/frames.ts";
import { LspTranslator } from "../../../src/path_map/lsp.ts";
import { type Translated } from "../../../src/path_map/translator.ts";
import { PathMap } from "../../../src/path_map/paths.ts";
import conversations from "../recorded/lsp_conversations.json" with { type: "json" };

const MOUNT = "/tmp/edwork/container";

/** A stream through a translation, in pieces of this size. */
function through(
  stream: string,
  translate: (body: Uint8Array<ArrayBuffer>) => Translated,
  size: number,
): string {
  const bytes = new TextEncoder().encode(stream);
  const reader = new FrameReader();
  const out: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    for (const { head, body } of reader.push(bytes.subarray(at, at + size))) {
      const translated = body === undefined ? undefined : translate(body).body;
      out.push(translated === undefined ? head : headFor(head, translated.length));
      if (translated !== undefined) out.push(translated);
    }
  }
  for (const { head } of reader.end()) out.push(head);
  return out.map((part) => new TextDecoder().decode(part)).join("");
}

for (const [server, recorded] of Object.entries(conversations)) {
  Deno.test(`the recorded conversation with ${server} is translated as it was, however it is cut`, () => {
    for (const size of [1, 7, 4096, 1_000_000]) {
      const translator = new LspTranslator(new PathMap(MOUNT), {
        notice: (text) => assert.fail(text),
        filesWritten: () => {},
        realPath: () => undefined,
      });
      const { fromEditor, fromServer } = recorded;
      assert.equal(
        through(fromEditor, (body) => translator.fromEditor(body), size),
        recorded.toServer,
      );
      assert.equal(
        through(fromServer, (body) => translator.fromServer(body), size),
        recorded.toEditor,
      );
    }
    // neovim 0.7 writes each slash with a backslash, and calls a folder by its path: a name is text.
    const plain = (text: string): string =>
      text.replaceAll("\\/", "/").replaceAll(/"name":"[^"]*"/g, "");
    assert.ok(plain(recorded.fromEditor).includes(MOUNT));
    assert.ok(!plain(recorded.toServer).includes(MOUNT), "the server knows of no mount");
    // Elsewhere it is text, as in a log, or in data that is the server's own.
    assert.doesNotMatch(
      plain(recorded.toEditor),
      /"(?:uri|targetUri)": ?"file:\/\/\/(?!tmp\/edwork\/container)/,
    );
  });
}
