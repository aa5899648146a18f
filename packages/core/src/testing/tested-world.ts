import { WorldError } from "../errors/index.ts";
import type { RunCommit, World } from "../world/index.ts";

/** The World as one process of a test sees it: its calls are counted, have accidents, and end with the process. */

/** The verbs of a World: what a process asks its store. */
export type WorldVerb = {
  [Name in keyof World]-?: World[Name] extends (...args: never[]) => Promise<unknown> ? Name : never;
}[keyof World];

/** What may happen to a call: it is not sent, its answer does not come, or the process is gone before or after it. */
export type Accident = "request lost" | "answer lost" | "killed before" | "killed after";

/** Where a World is asked from. */
export interface Caller {
  /** The process is gone: nothing that it asks is answered, and nothing it says arrives. */
  dead: boolean;
  /** The accident of this call, if it has one. */
  accident(verb: WorldVerb): Accident | undefined;
  /** The process ends here. */
  onKilled(): void;
  /** A call begins; the returned function is called when it is over. */
  onCall(): () => void;
  /** A journal has grown. */
  onWrite(): void;
}

/** What a World does without asking its store. */
const LOCAL: ReadonlySet<PropertyKey> = new Set(["describe", "subscribe", "joining"]);

/** Wraps a World for one process. `close` leaves it to the test. */
export function testedWorld(world: World, caller: Caller): World {
  const wrapped = new Map<PropertyKey, unknown>();
  return new Proxy(world, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      if (!wrapped.has(name)) wrapped.set(name, wrap(name, value.bind(target)));
      return wrapped.get(name);
    },
  });

  function wrap(name: PropertyKey, call: (...args: unknown[]) => unknown): unknown {
    if (name === "close") return async () => {};
    if (name === "subscribe") {
      return (listener: (hint: unknown) => void) =>
        call((hint: unknown) => void (caller.dead || listener(hint)));
    }
    if (LOCAL.has(name)) return call;
    return (...args: unknown[]) =>
      send(name as WorldVerb, args, call as (...args: unknown[]) => Promise<unknown>);
  }

  async function send(
    verb: WorldVerb,
    args: unknown[],
    call: (...args: unknown[]) => Promise<unknown>,
  ): Promise<unknown> {
    if (caller.dead) return await never();
    const accident = caller.accident(verb);
    if (accident === "request lost") throw lost(verb, accident);
    if (accident === "killed before") return await end();
    const over = caller.onCall();
    let answer: unknown;
    try {
      answer = await call(...args);
      if (verb === "commit" && (args[0] as readonly RunCommit[]).some(({ events }) => events.length > 0)) {
        caller.onWrite();
      }
    } finally {
      over();
    }
    if (accident === "answer lost") throw lost(verb, accident);
    if (accident === "killed after") return await end();
    return caller.dead ? await never() : answer;
  }

  function end(): Promise<never> {
    caller.dead = true;
    caller.onKilled();
    return never();
  }
}

function lost(verb: WorldVerb, accident: Accident): WorldError {
  return new WorldError(`${verb}: ${accident}, as the test wants it.`);
}

function never(): Promise<never> {
  return new Promise(() => {});
}
