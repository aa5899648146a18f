import { existsSync, writeFileSync } from "node:fs";

// As a pool of connections does, it keeps the process that loads this module.
setInterval(() => {}, 60_000);

export async function linger(): Promise<void> {
  "use workflow";
  await hang();
}

async function hang(): Promise<void> {
  "use step";
  writeFileSync("hangs", "");
  while (existsSync("hangs")) await new Promise((resolve) => setTimeout(resolve, 60_000));
}
