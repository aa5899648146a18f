/**
 * `inbound`: what `idempotent` costs a request, in this process and without a socket: the same handler with it and without, one request
 * after the other; new keys by 32 clients at once; and answers that are given again.
 */
import { idempotent } from "perdure/http";
import type { BenchWorld } from "./bench-world.ts";
import { withFolder } from "./engine.ts";
import { percentile, round } from "./statistics.ts";

export interface InboundFigures {
  readonly requests: number;
  readonly requestsPerSecond: number;
  readonly replaysPerSecond: number;
  /** Of a request alone, beside what the handler takes. */
  readonly overheadP50Ms: number;
}

const CLIENTS = 32;

type Handle = (request: Request) => Promise<Response>;

export function measureInbound(kind: BenchWorld, requests: number): Promise<InboundFigures> {
  return withFolder(async (folder) => {
    const world = kind.create(folder);
    await world.open();
    try {
      const plain: Handle = async (request) => Response.json({ got: await request.json() }, { status: 201 });
      const handle = idempotent(plain, { world, scope: () => "bench" });
      await Promise.all([oneByOne(plain, "warm", requests / 10), oneByOne(handle, "warm", requests / 10)]);
      const bare = await oneByOne(plain, "alone", requests / 10);
      const kept = await oneByOne(handle, "alone", requests / 10);
      return {
        requests,
        requestsPerSecond: await atOnce(handle, requests),
        replaysPerSecond: await atOnce(handle, requests),
        overheadP50Ms: round(percentile(kept, 0.5) - percentile(bare, 0.5)),
      };
    } finally {
      await world.close();
    }
  });
}

/** How long each of the requests takes, in ms. */
async function oneByOne(handle: Handle, name: string, requests: number): Promise<number[]> {
  const took: number[] = [];
  for (let n = 0; n < requests; n++) {
    const began = performance.now();
    await send(handle, `${name}-${n}`);
    took.push(performance.now() - began);
  }
  return took;
}

/** How many requests are answered in a second, each with a key of its own: the second time these are known. */
async function atOnce(handle: Handle, requests: number): Promise<number> {
  let next = 0;
  const client = async (): Promise<void> => {
    while (next < requests) await send(handle, `at-once-${next++}`);
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return Math.round(requests / ((performance.now() - began) / 1000));
}

async function send(handle: Handle, key: string): Promise<void> {
  const response = await handle(
    new Request("http://localhost/charges", {
      method: "POST",
      headers: { "idempotency-key": key, "content-type": "application/json" },
      body: '{"customer":"cus_1","amount":4200}',
    }),
  );
  if (response.status !== 201) throw new Error(`A request was answered with ${response.status}.`);
  await response.text();
}
