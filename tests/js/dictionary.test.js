import assert from "node:assert/strict";
import { test } from "node:test";

import { Dictionary } from "qwen/page/dictionary.js";

const dictionary = (texts) =>
  new Dictionary({
    texts,
    ends: { ".": "。", ":": "：", "(": "（", ")": "）" },
    lists: { "; ": "；", ", ": "、", " and ": "和" },
  });
const whole = (texts, english) => {
  const { text, whole: complete } = dictionary(texts).translate(english);
  assert.ok(complete, `${english} is not translated as a whole: ${text}`);
  return text;
};

test("a text is found as it stands, whatever its spaces and its first letter's case", () => {
  const texts = { "Learning rate": "学习率" };
  assert.equal(whole(texts, "Learning rate"), "学习率");
  assert.equal(whole(texts, "learning\n   rate"), "学习率");
});

test("holes take what stands there, in the order that the other language wants", () => {
  const texts = { "{n} of {total} steps": "共 {total} 步，已完成 {n} 步" };
  assert.equal(whole(texts, "5 of 1,000 steps"), "共 1,000 步，已完成 5 步");
});

test("what a hole took is translated, or kept where the hole says so", () => {
  const texts = {
    "The run is {status}.": "该运行{status}。",
    completed: "已完成",
    "There is no run '{raw}'.": "没有名为“{raw}”的运行。",
  };
  assert.equal(whole(texts, "The run is completed."), "该运行已完成。");
  assert.equal(whole(texts, "There is no run 'completed'."), "没有名为“completed”的运行。");
});

test("a template of hardly a word takes a name for what it keeps, and no sentence", () => {
  const texts = { "a {raw}.": "类型为 {raw}。" };
  assert.equal(whole(texts, "a Qwen2Attention."), "类型为 Qwen2Attention。");
  const said = dictionary(texts).translate(
    "a run on your data: it goes on when this page is closed.",
  );
  assert.equal(said.whole, false);
});

test("a hole takes no half of what stands in brackets", () => {
  const texts = {
    "{kinds} of {layers}": "{layers}的 {kinds}",
    "({n} runs of {n2} steps)": "（{n} 次）",
  };
  assert.equal(whole(texts, "(3 runs of 15 steps)"), "（3 次）");
  assert.equal(
    dictionary({ "{a} of {b}": "{b}的 {a}" }).translate("x (1 of 2)").text,
    "x (1 of 2)",
  );
});

test("a hole for a number takes nothing else", () => {
  const texts = { "{n} blocks": "{n} 个块" };
  assert.equal(whole(texts, "28 blocks"), "28 个块");
  assert.equal(dictionary(texts).translate("All the blocks").whole, false);
});

test("a hole for a list keeps names, and joins them as the language does", () => {
  const texts = { "{list} weights": "{list} 的权重", "{n} other": "另外 {n} 个" };
  assert.equal(whole(texts, "q, gate and v_proj weights"), "q、gate 和 v_proj 的权重");
  assert.equal(whole(texts, "q, k and 3 other weights"), "q、k 和另外 3 个的权重");
  assert.equal(dictionary(texts).translate("some, few and no more weights").whole, false);
});

test("a piece of a sentence takes one clause alone", () => {
  const texts = { "all but {part}": "除 {part} 外", head: "头", tail: "尾" };
  assert.equal(whole(texts, "all but head; tail"), "除头外；尾");
});

test("the template that says most is taken", () => {
  const texts = { "{a} of {b}": "{b} 的 {a}", "weights of {b}": "{b} 的权重" };
  assert.equal(whole(texts, "weights of 7"), "7 的权重");
});

test("of two templates with the same words numbers take the one for numbers", () => {
  const texts = { "{kinds} of {layers}": "{layers}的 {kinds}", "{n} of {n2}": "{n} / {n2}" };
  assert.equal(whole(texts, "28 of 338"), "28 / 338");
});

test("sentences that stand together are translated each, the longest stretch first", () => {
  const texts = {
    "It failed.": "失败。",
    "Try again. Or wait.": "请重试，或稍候。",
    "Step {n} was the last.": "第 {n} 步是最后一步。",
  };
  assert.equal(
    whole(texts, "It failed. Step 7 was the last. Try again. Or wait."),
    "失败。第 7 步是最后一步。请重试，或稍候。",
  );
});

test("marks around a text, and lists of known texts, need no entries of their own", () => {
  const texts = { "Learning rate": "学习率", attention: "注意力", norm: "归一化" };
  assert.equal(whole(texts, "Learning rate:"), "学习率：");
  assert.equal(whole(texts, "(attention)"), "（注意力）");
  assert.equal(whole(texts, "attention, norm, q_proj"), "注意力、归一化、q_proj");
});

test("what a text may leave out needs no entry of its own", () => {
  const texts = {
    "The memory ran out. {advice}": "内存不足。{advice}",
    "{said} Its last line: {raw}": "{said}最后一行：{raw}",
    "All names fit{extra}.": "所有名称相符{extra}。",
    "Resume it.": "请恢复。",
  };
  assert.equal(whole(texts, "The memory ran out."), "内存不足。");
  assert.equal(
    whole(texts, "The memory ran out. Resume it. Its last line: x"),
    "内存不足。请恢复。最后一行：x",
  );
  assert.equal(whole(texts, "All names fit."), "所有名称相符。");
});

test("numbers, names and what stands in quotes are not language", () => {
  for (const text of [
    "1,543,714,304",
    "3.09 GB",
    "model.layers.0.self_attn.q_proj",
    "Qwen2RMSNorm",
    "0-27 · 28 × Qwen2DecoderLayer",
    "'any words of a person'",
  ]) {
    assert.deepEqual(dictionary({}).translate(text), { text, whole: true });
  }
});

test("what is unknown stays English and is told, a part of it too", () => {
  const texts = { "It failed.": "失败。", "Because of {what}.": "原因：{what}。" };
  assert.deepEqual(dictionary(texts).translate("Nobody wrote this."), {
    text: "Nobody wrote this.",
    whole: false,
  });
  assert.equal(dictionary(texts).translate("Because of bad luck.").whole, false);
  assert.equal(dictionary(texts).translate("It failed. Nobody wrote this.").whole, false);
});

test("Chinese and Latin stand apart, Chinese and Chinese do not", () => {
  const texts = { "Train {what} now": "现在训练{what}层", attention: "注意力" };
  assert.equal(whole(texts, "Train q_proj now"), "现在训练 q_proj 层");
  assert.equal(
    whole({ ...texts, "Train {what} now": "现在训练 {what} 层" }, "Train attention now"),
    "现在训练注意力层",
  );
});

test("no text takes long, however many places a template could fit", () => {
  const texts = { "{a}, the {b}, the {c}, the {d} end": "{a}{b}{c}{d}" };
  const dictionaryOfOne = dictionary(texts);
  const began = performance.now();
  for (const size of [500, 1000, 3900]) dictionaryOfOne.translate("x, the ".repeat(size / 7));
  dictionaryOfOne.translate("a. B ".repeat(700));
  dictionaryOfOne.translate("a, b; ".repeat(600));
  assert.ok(performance.now() - began < 500, `${performance.now() - began} ms`);
});
