// The seam of the moments, stretched over the IPC channel between a server's process and the demo's.

import type { ChildProcess } from "node:child_process";
import type { Moment, Watch } from "./moments.ts";

/** What a server's process tells its parent. */
export type FromServer =
  | { type: "listening"; urls: string[] }
  /** The server waits here until it is told to go on. */
  | { type: "moment"; id: number; moment: Moment };

/** The parent lets the request of this moment go on. */
interface ToServer {
  type: "go";
  moment: number;
}

/** In the server's process: reports every moment to the parent and goes on when the parent says so. */
export function watchOverIpc(): Watch {
  const waiting = new Map<number, () => void>();
  let last = 0;
  process.on("message", (message: ToServer) => {
    waiting.get(message.moment)?.();
    waiting.delete(message.moment);
  });
  return (moment) => {
    const id = ++last;
    const message: FromServer = { type: "moment", id, moment };
    return new Promise((resolve) => {
      waiting.set(id, resolve);
      process.send?.(message);
    });
  };
}

/** In the parent: shows the child's moments to `watch`, and gives the addresses that the child listens at once it does. */
export function hear(child: ChildProcess, watch: Watch): Promise<string[]> {
  const go = (moment: number): void => {
    const message: ToServer = { type: "go", moment };
    // A child that was killed at this moment is told nothing more.
    if (child.connected) child.send(message, () => {});
  };
  return new Promise((resolve) => {
    child.on("message", (message: FromServer) => {
      if (message.type === "listening") resolve(message.urls);
      else void watch(message.moment).then(() => go(message.id));
    });
  });
}
