/**
 * Hearing of what others wrote, and telling them: LISTEN on a connection of its own, which is made again whenever it is
 * lost, and NOTIFY from another, after the commit and for many commits at once.
 *
 * A NOTIFY inside the writing transaction would take a lock that all databases of the server share, from before its
 * commit record is flushed until after, and so put all commits in a row. Sent afterwards it may be lost with this
 * process, which costs latency only.
 */
import type { Logger } from "@perdure/core/runtime";
import type { Client } from "pg";
import { withoutValues } from "./errors.ts";

// Milliseconds from one try to reach the server to the next.
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 5_000;

// Milliseconds in which what happens is gathered, after something was told at once.
const GATHERING = 5;

export interface ListenerOptions {
  readonly connect: () => Client;
  readonly channel: string;
  readonly logger: Logger;
  /** How often the server is asked whether it is still there, in milliseconds: a dead connection is as silent as a live one. */
  readonly heartbeat: number;
  readonly onPayload: (payload: string) => void;
  /** Something may have been missed. */
  readonly onGap: () => void;
}

/**
 * Listens until the returned function is called. Never keeps the process alive.
 */
export function listen({
  connect,
  channel,
  logger,
  heartbeat,
  onPayload,
  onGap,
}: ListenerOptions): () => void {
  let closed = false;
  let client: Client | undefined;
  let timer: NodeJS.Timeout | undefined;
  let pulse: NodeJS.Timeout | undefined;
  let pause = FIRST_PAUSE;

  async function start(): Promise<void> {
    const own = connect();
    client = own;
    let lost = false;
    const onLost = (error?: unknown): void => {
      if (lost || closed) return;
      lost = true;
      clearInterval(pulse);
      logger.warn("the connection for notifications was lost, polling until it is back", {
        ...(error !== undefined && { error: withoutValues(error) }),
      });
      own.end().catch(() => {});
      // Many processes lose their connections at one moment: they come back apart from each other.
      timer = setTimeout(() => void start(), pause + (process.pid % 100)).unref();
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    };
    own.on("error", onLost);
    own.on("end", onLost);
    own.on("notification", ({ payload }) => onPayload(payload ?? ""));
    try {
      await own.connect();
      await own.query(`LISTEN "${channel}"`);
      (own as Client & { unref(): void }).unref();
      pause = FIRST_PAUSE;
      if (closed || lost) return;
      pulse = setInterval(() => void own.query("SELECT 1").catch(onLost), heartbeat).unref();
      onGap();
    } catch (error) {
      onLost(error);
    } finally {
      if (closed) own.end().catch(() => {});
    }
  }

  void start();
  return () => {
    closed = true;
    clearTimeout(timer);
    clearInterval(pulse);
    client?.end().catch(() => {});
  };
}

/**
 * A function that asks for `send` to be called: at once, or, when it was called a moment ago, a moment later, once for
 * all who asked meanwhile. One sending at a time.
 */
export function gathering(send: () => Promise<void>): () => void {
  let state: "idle" | "busy" | "asked" = "idle";
  const next = (): void => {
    state = "busy";
    void send().finally(() => {
      setTimeout(() => {
        if (state === "asked") next();
        else state = "idle";
      }, GATHERING).unref();
    });
  };
  return () => {
    if (state === "idle") next();
    else state = "asked";
  };
}
