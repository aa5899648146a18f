/**
 * Finds or starts a real MariaDB: `PERDURE_TEST_MARIADB_URL`, else the server program of this machine, which on Debian and Ubuntu
 * root gets from the package `mariadb-server`.
 */
import { execFile, spawn } from "node:child_process";
import { openSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { endWithOwner, makeFolder, removeFolder, unprivileged } from "./folder.ts";
import { endProcess, freePort, isAlive } from "./process.ts";
import { findProgram } from "./programs.ts";
import { RUN_OWNER } from "./shared.ts";

const run = promisify(execFile);

/** A server of one's own, with the empty database `perdure`. */
export interface MariadbServer extends AsyncDisposable {
  readonly url: string;
  /** Ends the server and removes its data. */
  stop(): Promise<void>;
}

/**
 * A server, which ends with this process at the latest. Its commits do not reach the disk, so it is fast.
 *
 * @throws where there is no MariaDB to start; the message names the command that mends it
 */
export async function mariadb(): Promise<MariadbServer> {
  const named = process.env.PERDURE_TEST_MARIADB_URL;
  if (named !== undefined) {
    const stop = async (): Promise<void> => {};
    return { url: named, stop, [Symbol.asyncDispose]: stop };
  }
  const program = await findProgram(["mariadbd"], { package: "mariadb-server" });
  const install = await findProgram(["mariadb-install-db"], { package: "mariadb-server" });
  if (program === undefined || install === undefined) {
    throw new Error(
      "There is no MariaDB here. Do one of these: `apt-get install mariadb-server`, `brew install mariadb`, or set " +
        "PERDURE_TEST_MARIADB_URL.",
    );
  }
  const account = unprivileged();
  const folder = makeFolder("mariadb", account);
  const data = join(folder, "data");
  const options = { ...account, cwd: folder };
  const basedir = dirname(dirname(install));
  await run(
    install,
    [
      ...[
        "--no-defaults",
        `--basedir=${basedir}`,
        `--datadir=${data}`,
        "--skip-test-db",
        "--skip-name-resolve",
      ],
      "--auth-root-authentication-method=normal",
    ],
    options,
  );
  const port = await freePort();
  const password = crypto.randomUUID();
  const init = join(folder, "init.sql");
  const user = `perdure@'127.0.0.1'`;
  writeFileSync(
    init,
    `CREATE DATABASE perdure;\nCREATE USER ${user} IDENTIFIED BY '${password}';\nGRANT ALL ON *.* TO ${user};\n`,
  );
  const logFile = join(folder, "server.log");
  const log = openSync(logFile, "a");
  const pidFile = join(folder, "server.pid");
  const child = spawn(
    program,
    [
      ...[
        "--no-defaults",
        `--datadir=${data}`,
        `--port=${port}`,
        "--bind-address=127.0.0.1",
        "--skip-name-resolve",
      ],
      ...[`--socket=${join(folder, "s")}`, `--pid-file=${pidFile}`, `--init-file=${init}`],
      ...["--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=32M", "--skip-log-bin"],
    ],
    { ...options, detached: true, stdio: ["ignore", log, log] },
  );
  child.unref();
  const { pid } = child;
  if (pid === undefined) throw new Error(`${program} cannot be executed.`);
  endWithOwner(folder, Number(process.env[RUN_OWNER] ?? process.pid), pidFile, "KILL");
  while (!(await greets(port))) {
    if (child.exitCode !== null || !isAlive(pid)) {
      throw new Error(`The MariaDB server did not start:\n${readFileSync(logFile, "utf8")}`);
    }
    await delay(30);
  }
  const stop = async (): Promise<void> => {
    await endProcess(pid, "SIGKILL");
    removeFolder(folder);
  };
  return { url: `mysql://perdure:${password}@127.0.0.1:${port}/perdure`, stop, [Symbol.asyncDispose]: stop };
}

/** Whether a server greets whoever connects. */
function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("data", () => end(true));
    socket.once("error", () => end(false));
    socket.once("close", () => end(false));
  });
}
