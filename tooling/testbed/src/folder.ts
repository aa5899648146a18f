/**
 * The folder of one real server: its data, its log, and the user it belongs to. Database servers refuse to run as root,
 * so when we are root the folder is another user's.
 */
import { spawn } from "node:child_process";
import { chownSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** An unprivileged user, as `spawn` takes it; empty when this process is unprivileged itself. */
export type Account = { readonly uid: number; readonly gid: number } | Record<string, never>;

/** Who runs servers: this process's user, or, when that is root, a user that may do nothing else. */
export function unprivileged(): Account {
  if (process.getuid?.() !== 0) return {};
  const accounts = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"));
  const account =
    accounts.find(([name]) => name === "postgres") ?? accounts.find(([name]) => name === "nobody");
  const [, , uid, gid] = account ?? [];
  if (uid === undefined || gid === undefined) {
    throw new Error(
      "Servers do not run as root, and there is no user nobody here. Run this as another user.",
    );
  }
  return { uid: Number(uid), gid: Number(gid) };
}

/** Makes an empty folder that belongs to `account`. */
export function makeFolder(name: string, account: Account, parent: string = tmpdir()): string {
  const folder = mkdtempSync(join(parent, `perdure-${name}-`));
  if (account.uid !== undefined) chownSync(folder, account.uid, account.gid);
  return folder;
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}

/**
 * Leaves a small process behind that ends the server and removes its folder when process `owner` is gone, however it
 * went; a server must not outlive the tests that it was started for.
 *
 * @param pidFile file whose first line is the server's process id
 * @param signal what ends the server at once
 */
export function endWithOwner(folder: string, owner: number, pidFile: string, signal: string): void {
  if (process.platform === "win32") return;
  const script = `
    while kill -0 "$1" 2>/dev/null && test -d "$2"; do sleep 1; done
    test -f "$3" && kill -s "$4" "$(head -n 1 "$3")" 2>/dev/null
    sleep 1; rm -rf "$2"`;
  spawn("/bin/sh", ["-c", script, "sh", String(owner), folder, pidFile, signal], {
    detached: true,
    stdio: "ignore",
  }).unref();
}
