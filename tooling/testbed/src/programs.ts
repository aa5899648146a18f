/** Programs of this machine, and those of a Debian or Ubuntu system's packages. */
import { execFile } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { oneAtATime } from "./shared.ts";

const run = promisify(execFile);

/** Folders in which packages put servers without naming them in every user's PATH. */
const FOLDERS = ["/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"];

/**
 * The path of the first program of these names; else, for root on Debian or Ubuntu, of the one that `package` brings,
 * which is installed without its service.
 */
export async function findProgram(
  names: readonly string[],
  from: { readonly package: string },
): Promise<string | undefined> {
  const found = installed(names);
  if (found !== undefined || process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) return found;
  // Several test files may ask at once, and the package manager serves one.
  const lock = join(tmpdir(), "perdure-testbed-apt");
  return oneAtATime(
    lock,
    () => installed(names),
    async () => {
      await install(from.package);
      return installed(names);
    },
  );
}

/** Whether a command ends well. */
export function succeeds(command: string, args: readonly string[]): Promise<boolean> {
  return run(command, args, { timeout: 20_000 }).then(
    () => true,
    () => false,
  );
}

function installed(names: readonly string[]): string | undefined {
  const folders = [...(process.env.PATH ?? "").split(delimiter), ...FOLDERS];
  for (const name of names) {
    for (const folder of folders) {
      const path = join(folder, name);
      // A package's launcher of that name is not the server.
      if (!folder.includes("node_modules") && canExecute(path)) return path;
    }
  }
  return undefined;
}

async function install(name: string): Promise<void> {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  try {
    await run("apt-get", ["update"], { env }).catch(() => {});
    await run("apt-get", ["install", "-y", "--no-install-recommends", name], { env });
    await succeeds("systemctl", ["disable", "--now", name]);
  } catch {
    // Who asked says what is missing.
  }
}

function canExecute(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
