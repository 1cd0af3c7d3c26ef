// The scenes about protection, and their module.

import init from "./pkg/protection.js";
import type { Scene } from "./scene.js";
import { breaker } from "./scenes/breaker/scene.js";
import { cascade } from "./scenes/cascade/scene.js";
import { hedging } from "./scenes/hedging/scene.js";
import { herd } from "./scenes/herd/scene.js";
import { limiter } from "./scenes/limiter/scene.js";
import { storm } from "./scenes/storm/scene.js";

const SCENES: readonly Scene[] = [breaker, limiter, hedging, cascade, storm, herd];

/** The scene of this name, once its module is there. */
export async function protection(name: string): Promise<Scene> {
  await init();
  const scene = SCENES.find((scene) => scene.name === name);
  if (!scene) throw new Error(`there is no scene ${name}`);
  return scene;
}
