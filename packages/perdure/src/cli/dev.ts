import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type FSWatcher, watch } from "node:fs";
import { dirname } from "node:path";
import { codeFiles } from "./code.ts";
import type { PlaceOptions } from "./place.ts";
import { print } from "./terminal.ts";

/**
 * `perdure dev <files…>`: a worker in a process of its own, started again when a file beside the modules changes. What else belongs to
 * developing, such as a page to look at, is a {@link DevPart} of its own.
 */

/** Something that runs beside the worker for as long as `dev` does. */
export interface DevPart {
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Changes that come within so many milliseconds are one. */
const TOGETHER = 150;

const IGNORED = /(^|[/\\])(node_modules|dist|\.[^/\\]+)([/\\]|$)/;

export async function dev(
  files: readonly string[],
  options: PlaceOptions,
  parts: readonly DevPart[] = [],
): Promise<void> {
  const paths = await codeFiles(files, options);
  for (const part of parts) await part.start();
  const child = new Restarted([...process.argv.slice(1, 2), "worker", ...paths, ...flagsOf(options)]);
  child.start();
  let timer: NodeJS.Timeout | undefined;
  const watchers: FSWatcher[] = [...new Set(paths.map(dirname))].map((folder) =>
    watch(folder, { recursive: true }, (_, name) => {
      if (name === null || IGNORED.test(name)) return;
      clearTimeout(timer);
      timer = setTimeout(() => {
        print(`${name} changed: the worker starts again`);
        child.restart();
      }, TOGETHER);
    }),
  );
  await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
  clearTimeout(timer);
  for (const watcher of watchers) watcher.close();
  await child.stop();
  for (const part of parts) await part.stop();
}

function flagsOf({ url, config, namespace, schema }: PlaceOptions): string[] {
  return Object.entries({ url, config, namespace, schema }).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, value],
  );
}

/** A process of which there is one at a time. */
class Restarted {
  readonly #args: readonly string[];
  #child: ChildProcess | undefined;
  #moves: Promise<void> = Promise.resolve();

  constructor(args: readonly string[]) {
    this.#args = args;
  }

  start(): void {
    this.#child = spawn(process.execPath, this.#args, { stdio: "inherit" });
  }

  restart(): void {
    this.#moves = this.#moves.then(async () => {
      await this.#end();
      this.start();
    });
  }

  async stop(): Promise<void> {
    await this.#moves;
    await this.#end();
  }

  async #end(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    await exited;
  }
}
