/**
 * vitest's global setup: gives the run a folder in which test files share servers, and ends those servers with it. It
 * starts nothing, so a run that needs no server pays nothing.
 */
import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeFolder } from "./folder.ts";
import { endProcess } from "./process.ts";
import { RUN_FOLDER, RUN_OWNER } from "./shared.ts";

/** What every shared server writes down, so that it can be ended by who has not started it. */
export interface SharedServer {
  /** A process id, or `null` for a server that is not ours to end. */
  readonly pid: number | null;
  readonly stopSignal: NodeJS.Signals;
  /** Removed when the server is gone. */
  readonly folder: string | null;
}

export default function setup(): () => Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "perdure-testbed-"));
  process.env[RUN_FOLDER] = folder;
  process.env[RUN_OWNER] = String(process.pid);
  return async () => {
    for (const name of readdirSync(folder).filter((file) => file.endsWith(".json"))) {
      const server = JSON.parse(readFileSync(join(folder, name), "utf8")) as SharedServer;
      if (server.pid !== null) await endProcess(server.pid, server.stopSignal);
      if (server.folder !== null) removeFolder(server.folder);
    }
    removeFolder(folder);
  };
}
