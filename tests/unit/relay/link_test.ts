import assert from "node:assert/strict";
import { Link } from "../../../src/relay/link.ts";
import { Type } from "../../../src/relay/wire.ts";
import { until } from "../fixture.ts";
import { Fake } from "./fake_server.ts";

/** Times of the link run by this factor: what takes 30 s takes 0.6 s. */
const PACE = 0.02;

async function linked(
  servers: (count: number) => Fake,
  action: (link: Link, log: string[]) => Promise<void>,
): Promise<void> {
  let count = 0;
  const log: string[] = [];
  const link = new Link({
    start: () => servers(++count),
    onReconnect: () => {},
    log: (text) => log.push(text),
    pace: PACE,
  });
  try {
    assert.deepEqual(await link.open(), { ok: true });
    await action(link, log);
  } finally {
    link.close();
  }
}

function ask(link: Link): Promise<number> {
  return new Promise((resolve) => {
    link.send(Type.LSTAT, (to) => to.text("/"), (type) => resolve(type));
  });
}

const obliging = () => new Fake((server, type, id) => type !== Type.INIT && server.ok(id));

Deno.test("a server that ends as soon as it has greeted is replaced", async () => {
  const servers = (count: number) =>
    count === 1 ? new Fake((server, type) => type === Type.INIT && server.hangUp()) : obliging();
  await linked(servers, async (link, log) => {
    await until(() => log.includes("connected again"));
    assert.equal(await ask(link), Type.STATUS);
  });
});

Deno.test("a server that greets and hangs up at once is not replaced without a pause", async () => {
  let count = 0;
  const log: string[] = [];
  const link = new Link({
    start: () => {
      count++;
      return new Fake((server, type) => type === Type.INIT && server.hangUp());
    },
    onReconnect: () => {},
    log: (text) => log.push(text),
    pace: 1000,
  });
  try {
    assert.deepEqual(await link.open(), { ok: true });
    await until(() => log.includes("connection lost"));
    assert.equal(count, 1);
  } finally {
    link.close();
  }
});

Deno.test("a silent server whose output stays open after its end is replaced", async () => {
  const servers = (count: number) => count === 1 ? new Fake(() => {}) : obliging();
  await linked(servers, async (link, log) => {
    assert.equal(await ask(link), 0);
    await until(() => log.includes("connected again"));
    assert.equal(await ask(link), Type.STATUS);
  });
});

Deno.test("a start that fails is tried again", async () => {
  const servers = (count: number) => {
    if (count === 2) throw new Error("no more processes");
    return count === 1
      ? new Fake((server, type) => type !== Type.INIT && server.hangUp())
      : obliging();
  };
  await linked(servers, async (link, log) => {
    assert.equal(await ask(link), 0);
    await until(() => log.includes("connected again"));
    assert.equal(await ask(link), Type.STATUS);
  });
});

Deno.test("whoever waits for a connection is called in time, and once", async () => {
  const servers = (count: number) =>
    count === 1
      ? new Fake((server, type) => type !== Type.INIT && server.hangUp())
      : new Fake(() => {});
  await linked(servers, async (link) => {
    const calls: boolean[] = [];
    await ask(link);
    link.whenUp(performance.now(), (up) => calls.push(up));
    await until(() => calls.length > 0);
    assert.deepEqual(calls, [true]);
  });
  const dead = (count: number) => {
    if (count > 1) throw new Error("gone");
    return new Fake((server, type) => type !== Type.INIT && server.hangUp());
  };
  await linked(dead, async (link) => {
    const calls: boolean[] = [];
    await ask(link);
    link.whenUp(performance.now(), (up) => calls.push(up));
    await until(() => calls.length > 0);
    assert.deepEqual(calls, [false]);
  });
});

Deno.test("an answer that goes wrong fails its own request and no other", async () => {
  await linked(obliging, async (link) => {
    const seen: number[] = [];
    link.send(Type.LSTAT, (to) => to.text("/"), (type) => {
      seen.push(type);
      throw new Error("wrong");
    });
    assert.equal(await ask(link), Type.STATUS);
    assert.deepEqual(seen, [Type.STATUS, 0]);
    assert.equal(link.up, true);
  });
});
