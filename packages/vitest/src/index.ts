/** `@perdure/vitest`: the compiler as a plugin for `vitest.config.ts`, and all of `perdure/testing`. */
export * from "perdure/testing";
export { type PluginOptions, type VitePlugin, workflow } from "perdure/vite";
