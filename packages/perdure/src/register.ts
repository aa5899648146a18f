/**
 * `node --import perdure/register app.ts`: compiles the directives as modules are loaded, and installs the determinism guard
 * before them, so that it also covers what they copy out of Node's modules.
 */
import "@perdure/compiler/register";
import { guardProcess } from "@perdure/core/compiled";

guardProcess();
