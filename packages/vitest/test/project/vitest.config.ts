import { workflow } from "@perdure/vitest";
import { defineConfig, type ViteUserConfig } from "vitest/config";

const config: ViteUserConfig = defineConfig({ plugins: [workflow()] });

export default config;
