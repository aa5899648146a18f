import { defineConfig, mergeConfig } from "vitest/config";
import base from "./vitest.config.ts";

// What takes long: races of processes on every World, whole demos, packed packages, databases of users. `npm run test:fixtures`.
const config = mergeConfig(base, defineConfig({}));
config.test = {
  ...config.test,
  include: ["{packages,apps,tooling}/*/test/**/*.fixture.test.ts"],
  exclude: ["**/node_modules/**", "**/dist/**"],
  testTimeout: 180_000,
  hookTimeout: 180_000,
};
export default config;
