"""What a model card says that the model is not good for, in English and Chinese. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from federation.training_plan import TrainingPlan

Text = dict[str, str]


def limits_of(
    plan: TrainingPlan, evaluations: Sequence[Mapping[str, Any]], *, compared: bool
) -> list[Text]:
    """Return the limits of one version as sentences, each by language.

    Args:
        plan: that trained it.
        evaluations: of it, as the card tells them.
        compared: whether figures from outside the sandbox stand on the card.
    """
    return list(_limits(plan, evaluations, compared=compared))


def _limits(
    plan: TrainingPlan, evaluations: Sequence[Mapping[str, Any]], *, compared: bool
) -> Iterator[Text]:
    yield {
        "en": "For the purpose above only, and of clients whose level opens the fields to it.",
        "zh": "仅限上述用途，且仅用于授权级别对该用途开放相应字段的客户。",
    }
    yield {
        "en": "The weights hold noise, and have no intervals of their own: judge the model by its "
        "figures, never by a single weight.",
        "zh": "权重中含有噪声，且本身没有区间：请依据指标评判模型，不要解读单个权重。",
    }
    if not evaluations:
        yield {
            "en": "Nobody has evaluated it yet: how good it is is not stated.",
            "zh": "尚未评估：其效果未说明。",
        }
    else:
        if not plan.holdout:
            yield {
                "en": "The figures count the clients it was trained on; on others it may do less "
                "well.",
                "zh": "指标基于参与训练的客户，对其他客户的表现可能略差。",
            }
        yield {
            "en": "A client is scored at a department with the fields which that department holds.",
            "zh": "客户在某一部门评分时，只使用该部门持有的字段。",
        }
        yield {
            "en": "Intervals cover the noise, not the chance that these clients are here and not "
            "others.",
            "zh": "区间只涵盖噪声，不涵盖客户样本本身的偶然性。",
        }
        if plan.personal:
            yield {
                "en": "Each department scored with its own last layer: the figures are of all of "
                "them together, and none of them was judged alone.",
                "zh": "各部门使用各自的末层评分：指标反映其合计效果，未单独评判任何一个部门。",
            }
        if all(one["result"]["group"] is None for one in evaluations):
            yield {
                "en": "Whether it is as good for every group is not stated.",
                "zh": "是否对各群体同样有效：未说明。",
            }
    if compared:
        yield {
            "en": "The comparison was computed outside the sandbox, exactly, on public data: with "
            "real clients there is no such table.",
            "zh": "对比结果在沙盒之外、以公开数据精确计算；使用真实客户时不存在这张表。",
        }
    if plan.personal:
        yield {
            "en": "Its last layer is another one at each department and is not in the file.",
            "zh": "最后一层由各部门自有，不在文件之中。",
        }
    yield {
        "en": "Who withdraws later stays in what was released before; nothing is unlearned. "
        "Train again to leave them out.",
        "zh": "之后撤回授权的客户仍留在已发布的结果中，模型不会“遗忘”；重新训练即可将其排除。",
    }
