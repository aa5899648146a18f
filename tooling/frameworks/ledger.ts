// The payment service of the fixtures: it deduplicates by the key, as Stripe does, and can hold an answer until a process is killed.

import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";

/** What a customer's runs have done, by kind: how often each key came. */
export type Entries = ReadonlyMap<string, ReadonlyMap<string, number>>;

export interface Ledger {
  readonly url: string;
  /** How often each key came, by `/charges customer` and `/receipts customer`. */
  readonly entries: Entries;
  /** Which requests get no answer until {@link Ledger.release}. */
  hold(which: (kind: string, customer: string) => boolean): void;
  /** How many requests are held. */
  held(): number;
  /** Lets all that are held fail, and holds none any more. */
  release(): void;
  close(): void;
}

export async function openLedger(): Promise<Ledger> {
  const entries = new Map<string, Map<string, number>>();
  const waiting = new Set<ServerResponse>();
  let holds: (kind: string, customer: string) => boolean = () => false;
  const server = createServer(async (request, response) => {
    const { customer } = (await json(request)) as { customer: string };
    const kind = request.url ?? "";
    const key = String(request.headers["idempotency-key"]);
    const keys = entries.get(`${kind} ${customer}`) ?? new Map<string, number>();
    entries.set(`${kind} ${customer}`, keys.set(key, (keys.get(key) ?? 0) + 1));
    if (holds(kind, customer)) waiting.add(response);
    else response.end(JSON.stringify({ id: `${kind.slice(1, 3)}_${key}` }));
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    entries,
    hold: (which) => {
      holds = which;
    },
    held: () => waiting.size,
    release: () => {
      holds = () => false;
      for (const response of waiting) response.destroy();
      waiting.clear();
    },
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
