"""The words of a model card, in English and Chinese."""

from typing import Final

from privacy.odds_text import Language

_WORDS: Final[dict[str, tuple[str, str]]] = {
    "card": ("Model card", "模型卡"),
    "version": ("Version", "版本"),
    "on trial": ("on trial", "试用中"),
    "in use": ("in use", "使用中"),
    "retired": ("retired", "已退役"),
    "predicts": ("Predicts", "预测目标"),
    "from_fields": (
        "from {} fields, together with {} departments",
        "由 {} 个字段、{} 个部门共同训练",
    ),
    "purpose": ("Purpose", "用途"),
    "why": ("Why", "理由"),
    "took_part": ("Who took part", "参与部门"),
    "trained": ("Trained", "训练时间"),
    "auc": ("AUC", "AUC"),
    "ks": ("KS", "KS"),
    "calibration_error": ("Calibration error", "校准误差"),
    "accuracy": ("Right class", "准确率"),
    "macro_auc": ("AUC, mean of the classes", "AUC（各类平均）"),
    "within_one": ("At most one level off", "偏差不超过一级"),
    "level_error": ("Levels off, on average", "平均偏差级数"),
    "mean_absolute_error": ("Mean absolute error", "平均绝对误差"),
    "root_mean_squared_error": ("Root mean squared error", "均方根误差"),
    "mean_error": ("Mean error, true minus predicted", "平均误差（实际减预测）"),
    "precision": ("Rightly said", "精确率"),
    "recall": ("Found", "召回率"),
    "class": ("Class", "类别"),
    "band": ("Predicted", "预测区间"),
    "errors_in": (
        "Errors are in {}; larger ones than {} count as that.",
        "误差以{}计；大于 {} 者按此计。",
    ),
    "the target's unit": ("the target's unit", "目标字段的单位"),
    "natural logarithms": ("natural logarithms", "自然对数"),
    "own layers": (
        "Each department scored its clients with a last layer of its own.",
        "各部门使用各自的末层为其客户评分。",
    ),
    "loss": ("Privacy loss", "隐私损失"),
    "per_unit": ("per {} across all departments", "每位{}，跨所有部门合计"),
    "client": ("client", "客户"),
    "household": ("household", "家庭"),
    "at_delta": ("at δ = {}", "δ = {}"),
    "withdrawn": ("Withdrawn since", "此后撤回"),
    "withdrawn_line": (
        "Trained while {} of its clients have since withdrawn.",
        "训练所依据的客户中，此后已有 {} 位撤回授权。",
    ),
    "fields": ("What it looks at", "所用字段"),
    "field": ("Field", "字段"),
    "level": ("Authorization", "授权级别"),
    "level_n": ("Level {}", "第 {} 级"),
    "held_by": ("Held by", "持有部门"),
    "open_to": ("Open to", "开放用途"),
    "privacy": ("What it tells about a client", "它会泄露什么"),
    "privacy_intro": (
        "The most that the best-placed attacker could learn from this model about one person:",
        "即使处境最有利的攻击者，从本模型中最多能了解到关于某人的以下信息：",
    ),
    "unit": ("Privacy unit", "隐私单元"),
    "rho": ("ρ (zCDP)", "ρ（zCDP）"),
    "epsilon": ("ε", "ε"),
    "mechanism": ("Mechanism", "机制"),
    "tolerance": ("Departments that may collude", "可容忍的合谋部门数"),
    "bound": ("Departments where one counts", "同一客户计入的部门数"),
    "pool": ("Charged to", "计入预算"),
    "approver": ("Approved by", "批准人"),
    "tuning": ("Tuning on real data", "是否在真实数据上调参"),
    "within_limit": ("within one person's limit", "在单人限额之内"),
    "recipe": ("How it was trained", "训练方式"),
    "objective": ("Learns", "学习目标"),
    "hidden": ("Hidden layers", "隐藏层"),
    "none": ("none: a linear model", "无：线性模型"),
    "inputs": ("Inputs", "输入数"),
    "rounds": ("Rounds", "轮数"),
    "local_steps": ("Steps in a round", "每轮步数"),
    "clip_norm": ("Most one client's gradient counts", "单个客户梯度上限"),
    "learning_rate": ("Learning rate", "学习率"),
    "momentum": ("Momentum", "动量"),
    "linear_rounds": ("Rounds as a linear model first", "先行线性轮数"),
    "noise": ("Noise", "噪声"),
    "local": ("whole, at each department", "各部门各自加足"),
    "shared": ("in shares, under masks", "分摊并加掩码"),
    "owned": ("Each client at one department", "每位客户只在一个部门"),
    "proximal": ("Drawn back to the round's start", "近端系数"),
    "personal": ("Personal last layer", "个性化末层"),
    "holdout": ("Share of clients held out", "留出客户比例"),
    "held out": ("on clients it never saw", "基于未参与训练的客户"),
    "trained on": ("on the clients it was trained on", "基于参与训练的客户"),
    "yes": ("yes", "是"),
    "no": ("no", "否"),
    "binary": ("yes or no", "是或否"),
    "multiclass": ("one of several classes", "多分类"),
    "ordinal": ("ordered classes", "有序分类"),
    "count": ("how often", "计数"),
    "amount": ("how much", "数值"),
    "metrics": ("How good it is", "效果如何"),
    "metrics_intro": (
        (
            "Released with noise and charged like any question: ε = {} at δ = {}. "
            "Bars are 95 % intervals of the noise."
        ),
        "与任何查询一样加噪发布并计费：ε = {}（δ = {}）。横条为噪声的 95% 区间。",
    ),
    "not_evaluated": (
        "Nobody has evaluated this version. Price it with `infosandbox evaluate`.",
        "该版本尚未评估。可用 `infosandbox evaluate` 计价并评估。",
    ),
    "everyone": ("Everyone", "全部客户"),
    "group": ("Group", "群体"),
    "clients": ("Clients", "客户数"),
    "few": ("too few clients to tell", "客户太少，无法判断"),
    "told": ("what the model said", "模型给出的概率"),
    "came_true": ("what came true", "实际发生率"),
    "reliability": (
        "Reliability: on the line, what the model says comes true as often as it says.",
        "可靠性：落在线上，表示模型给出的概率与实际一致。",
    ),
    "influences": ("What drives its scores", "哪些字段左右评分"),
    "influences_intro": (
        (
            "How far each field moves a client's {}, either way, on average; no single client is "
            "shown. Released with noise and charged like any question: ε = {} at δ = {}. "
            "Whiskers are 95 % intervals of the noise."
        ),
        (
            "各字段使客户{}平均变动的幅度（不分正负），不展示任何单个客户。"
            "与任何查询一样加噪发布并计费：ε = {}（δ = {}）。误差线为噪声的 95% 区间。"
        ),
    ),
    "logit": ("score, as a logit,", "评分（对数几率）"),
    "output": ("score", "评分"),
    "influence": ("Moves the score by", "平均变动"),
    "comparison": ("What sharing brought, and what privacy cost", "共享的收获与隐私的代价"),
    "comparison_note": (
        (
            "Exact AUC on held-out clients, computed OUTSIDE the sandbox by a demonstration on "
            "public data. With real clients there is no such table."
        ),
        "由演示程序在沙盒之外、以公开数据对留出客户精确计算的 AUC；使用真实客户时不存在此表。",
    ),
    "held_out": ("Held-out clients", "留出客户"),
    "all_departments": ("all departments, fields joined", "所有部门，字段合并"),
    "of_department": ("of {}", "{}"),
    "alone": ("A department alone", "单个部门"),
    "federated": ("Federated, with privacy", "联合训练（有隐私保护）"),
    "central": ("Without privacy", "无隐私保护"),
    "limits": ("What it is not for", "局限"),
    "lineage": ("Where it comes from", "来源"),
    "run": ("Run", "运行"),
    "plan": ("Plan", "方案"),
    "weights": ("Weights, SHA-256", "权重 SHA-256"),
    "code": ("Code", "代码版本"),
    "epoch": ("Consent epoch", "授权快照"),
    "log_index": ("Place in the transparency log", "透明日志位置"),
    "catalogue": ("Catalogue", "字段目录"),
    "in_force": ("in force", "现行"),
    "earlier": ("an earlier one", "旧版"),
    "retrain": ("Train it again, without those who left:", "重新训练以排除已撤回者："),
    "stage_reason": ("Stage", "状态"),
    "stage_by": ("{} · by {}: “{}”", "{} · {}：“{}”"),
    "not stated": ("not stated", "未说明"),
    "foot": (
        "Every number here can be recomputed offline from the evidence file: infosandbox verify.",
        "此处每个数字均可由证据文件离线复算：infosandbox verify。",
    ),
}


def words_in(language: Language) -> dict[str, str]:
    """Return every word of a card in one language."""
    place = 0 if language == "en" else 1
    return {key: texts[place] for key, texts in _WORDS.items()}
