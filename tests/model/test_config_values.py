"""Values of a configuration under the field's common names."""

from __future__ import annotations

from transformers import FalconConfig, GPT2Config, Qwen3Config

from qwen_ui.model import config_int, config_value, head_size, key_value_heads, language_config


def test_a_head_may_be_wider_than_width_over_heads() -> None:
    config = Qwen3Config(hidden_size=64, num_attention_heads=4, head_dim=32)
    assert head_size(config.to_dict()) == 32


def test_a_value_comes_with_the_key_that_its_family_uses() -> None:
    config = GPT2Config(n_embd=64, n_head=4).to_dict()
    assert config_value(config, "hidden_size") == ("n_embd", 64)
    assert head_size(config) == 16


def test_what_is_not_a_positive_whole_number_is_no_size() -> None:
    for value in (0, -1, True, "64", None, 1.5):
        assert config_int({"hidden_size": value}, "hidden_size") is None


def test_falcon_has_one_key_value_head_without_naming_a_number() -> None:
    config = FalconConfig(num_attention_heads=8, multi_query=True).to_dict()
    config.pop("num_kv_heads", None)
    assert key_value_heads(config) == 1


def test_the_language_model_of_a_wrapper_is_found() -> None:
    inner = {"model_type": "qwen2", "hidden_size": 64}
    wrapped = {"thinker_config": {"model_type": "x", "text_config": inner}}
    assert language_config(wrapped) is inner
    assert language_config({"text_config": "nothing"}) == {"text_config": "nothing"}
