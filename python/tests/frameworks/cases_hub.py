"""Hugging Face: tiny random models made from configurations in code; nothing is downloaded."""

from __future__ import annotations

import tempfile
from typing import Any

from matrix import Case

TEXTS = ["the good film", "a very bad film", "good"]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "very", "film", "the", "a"]
IDS = [[2, 5, 8, 3], [2, 6, 8, 3]]


def tokenizer() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    marks = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
    return PreTrainedTokenizerFast(tokenizer_object=inner, model_max_length=64, **marks)


def config(**more: Any) -> Any:
    import torch
    from transformers import BertConfig

    torch.manual_seed(3)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 64}
    return BertConfig(vocab_size=len(WORDS), **sizes, **more)


def _classifier() -> Any:
    from transformers import BertForSequenceClassification

    return BertForSequenceClassification(config(num_labels=3)).eval()


def text_classification() -> tuple[Any, Any]:
    from transformers import pipeline

    return pipeline("text-classification", model=_classifier(), tokenizer=tokenizer()), TEXTS


def model_with_tokenizer() -> tuple[Any, Any]:
    return (_classifier(), tokenizer()), TEXTS


def bare_model() -> tuple[Any, Any]:
    import numpy as np

    return _classifier(), {"input_ids": np.array(IDS), "attention_mask": np.ones((2, 4), dtype="int64")}


def named_entities() -> tuple[Any, Any]:
    from transformers import BertForTokenClassification, pipeline

    model = BertForTokenClassification(config(num_labels=3)).eval()
    return pipeline("token-classification", model=model, tokenizer=tokenizer(), aggregation_strategy="simple"), TEXTS


def fill_mask() -> tuple[Any, Any]:
    from transformers import BertForMaskedLM, pipeline

    return pipeline("fill-mask", model=BertForMaskedLM(config()).eval(), tokenizer=tokenizer(), top_k=1), ["the [MASK] film", "a [MASK]"]


def text_generation() -> tuple[Any, Any]:
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel, pipeline

    torch.manual_seed(4)
    sizes = {"n_positions": 64, "n_embd": 16, "n_layer": 2, "n_head": 2}
    model = GPT2LMHeadModel(GPT2Config(vocab_size=len(WORDS), **sizes, bos_token_id=2, eos_token_id=3, pad_token_id=0)).eval()
    model.generation_config.do_sample, model.generation_config.max_new_tokens = False, 4
    return pipeline("text-generation", model=model, tokenizer=tokenizer()), TEXTS


def images() -> tuple[Any, Any]:
    import numpy as np
    import torch
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor, pipeline

    torch.manual_seed(5)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    model = ViTForImageClassification(ViTConfig(**sizes, image_size=32, patch_size=16, num_labels=3)).eval()
    made = pipeline("image-classification", model=model, image_processor=ViTImageProcessor(size={"height": 32, "width": 32}), top_k=1)
    return made, np.random.default_rng(1).integers(0, 256, (2, 40, 40, 3)).astype("uint8")


def sentence_embeddings() -> tuple[Any, Any]:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer
    from transformers import BertModel

    with tempfile.TemporaryDirectory() as folder:
        BertModel(config()).save_pretrained(folder)
        tokenizer().save_pretrained(folder)
        return SentenceTransformer(modules=[Transformer(folder), Pooling(16)], device="cpu"), TEXTS


def cross_encoder() -> tuple[Any, Any]:
    from sentence_transformers import CrossEncoder
    from transformers import BertForSequenceClassification

    with tempfile.TemporaryDirectory() as folder:
        BertForSequenceClassification(config(num_labels=1)).save_pretrained(folder)
        tokenizer().save_pretrained(folder)
        return CrossEncoder(folder, device="cpu"), [{"text": "good", "other": "bad film"}, {"text": "a", "other": "the"}]


def adapter() -> Any:
    import peft
    import torch

    model = peft.get_peft_model(_classifier(), peft.LoraConfig(task_type="SEQ_CLS", r=2, target_modules=["query", "value"]))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter)
    return model.eval()


def adapter_alone() -> tuple[Any, Any]:
    import numpy as np

    return adapter(), {"input_ids": np.array(IDS)}


def adapter_with_tokenizer() -> tuple[Any, Any]:
    return (adapter(), tokenizer()), TEXTS


def diffusion() -> tuple[Any, Any]:
    import torch
    from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel

    torch.manual_seed(6)
    blocks = {"down_block_types": ("DownBlock2D", "AttnDownBlock2D"), "up_block_types": ("AttnUpBlock2D", "UpBlock2D")}
    unet = UNet2DModel(sample_size=8, layers_per_block=1, block_out_channels=(8, 16), norm_num_groups=4, attention_head_dim=4, **blocks)
    made = DDPMPipeline(unet=unet, scheduler=DDPMScheduler(num_train_timesteps=10))
    return made, [{"num_inference_steps": 2, "seed": 1}, {"num_inference_steps": 2, "seed": 2}]


def _images_by_hand(pipeline: Any, rows: Any) -> Any:
    import numpy as np
    import torch

    pipeline.set_progress_bar_config(disable=True)
    each = [torch.Generator("cpu").manual_seed(row["seed"]) for row in rows]
    made = [pipeline(num_inference_steps=2, generator=one, output_type="np").images[0] for one in each]
    return np.stack(made)


def _by_pictures(made: Any, arrays: Any) -> Any:
    from PIL import Image

    return made([Image.fromarray(array) for array in arrays])


CASES = [
    Case("transformers", "text-classification pipeline", text_classification, 1e-5, lambda made, texts: made(texts)),
    Case("transformers", "model and tokenizer", model_with_tokenizer, 1e-5),
    Case("transformers", "model alone", bare_model, 1e-5),
    Case("transformers", "token-classification pipeline", named_entities, 1e-5, lambda made, texts: made(texts)),
    Case("transformers", "fill-mask pipeline", fill_mask, 1e-5, lambda made, texts: [answers[0] for answers in made(texts)]),
    Case("transformers", "text-generation pipeline", text_generation, 1e-5, lambda made, texts: made(texts)),
    Case("transformers", "image-classification pipeline", images, 1e-5, _by_pictures),
    Case("sentence-transformers", "SentenceTransformer", sentence_embeddings, 1e-5, lambda made, texts: made.encode(texts)),
    Case("sentence-transformers", "CrossEncoder", cross_encoder, 1e-5, lambda made, rows: made.predict([tuple(row.values()) for row in rows])),
    Case("peft", "LoRA adapter", adapter_alone, 1e-5),
    Case("peft", "LoRA adapter and tokenizer", adapter_with_tokenizer, 1e-5),
    Case("diffusers", "DDPMPipeline", diffusion, 1e-4, _images_by_hand),
]
